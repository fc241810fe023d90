import type { PackedColumn } from '../../../core/row.ts';
import type { Column } from '../../../core/table.ts';
import { bytesOf } from '../values/bytes-of.ts';
import { shortestFloat } from '../values/float.ts';
import type { Print } from '../values/printed.ts';
import { quote } from '../connection/server.ts';

/** What to select so that the text holds the whole value: a FLOAT's own text has too few digits. */
export function selectExpression(column: Column): string {
  const name = quote(column.name);
  return column.type.kind === 'float' ? `CAST(${name} AS DOUBLE) AS ${name}` : name;
}

/** A column of a text result: what it gives is what the stream would give. */
export function textColumn(column: Column): PackedColumn {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
      return { decode: readInteger, print };
    case 'boolean':
      return { decode: (bytes, start, end) => readInteger(bytes, start, end) !== 0, print: null };
    case 'bigint':
      return { decode: readBigint, print };
    case 'float':
      return { decode: (bytes, start, end) => shortestFloat(readNumber(bytes, start, end)), print: null };
    case 'double':
      return { decode: readNumber, print };
    case 'decimal':
      return column.declared.includes('zerofill')
        ? { decode: (bytes, start, end) => readAscii(bytes, start, end).replace(/^0+(?=\d)/, ''), print: null }
        : { decode: readAscii, print };
    case 'bit':
      return {
        decode: type.length === 1 ? (bytes, start, end) => readBits(bytes, start, end) !== 0n : readBits,
        print: null,
      };
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return { decode: readAscii, print };
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
      return { decode: (bytes, start, end) => bytes.toString('utf8', start, end), print };
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return { decode: bytesOf, print: null };
  }
}

const print: Print = (out, bytes, start, end) => out.copy(bytes, start, end);

function readAscii(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

function readNumber(bytes: Buffer, start: number, end: number): number {
  return Number(readAscii(bytes, start, end));
}

/** Up to 15 digits, with a sign or not. */
function readInteger(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  let value = 0;
  for (let at = negative ? start + 1 : start; at < end; at += 1) value = value * 10 + (bytes[at] ?? 0) - 0x30;
  return negative && value !== 0 ? -value : value;
}

function readBigint(bytes: Buffer, start: number, end: number): bigint {
  return BigInt(end - start < 16 ? readInteger(bytes, start, end) : readAscii(bytes, start, end));
}

function readBits(bytes: Buffer, start: number, end: number): bigint {
  let value = 0n;
  for (let at = start; at < end; at += 1) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  return value;
}
