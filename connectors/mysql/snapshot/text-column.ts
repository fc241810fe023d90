import type { Value } from '../../../core/contracts.ts';
import type { Column } from '../../../core/table.ts';
import type { Cursor } from '../binlog/cursor.ts';
import { shortestFloat } from '../float.ts';
import { quote } from '../server.ts';

/** Reads one value of `length` bytes from a text result and moves behind it; gives the canonical value that the stream would give. */
export type TextDecoder = (cursor: Cursor, length: number) => Value;

/** What to select so that the text holds the whole value: a FLOAT's own text has too few digits. */
export function selectExpression(column: Column): string {
  const name = quote(column.name);
  return column.type.kind === 'float' ? `CAST(${name} AS DOUBLE) AS ${name}` : name;
}

export function textColumnDecoder(column: Column): TextDecoder {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
    case 'boolean':
      return readInteger;
    case 'bigint':
      return (cursor, length) =>
        length < 16 ? BigInt(readInteger(cursor, length)) : BigInt(readAscii(cursor, length));
    case 'float':
      return (cursor, length) => shortestFloat(Number(readAscii(cursor, length)));
    case 'double':
      return (cursor, length) => Number(readAscii(cursor, length));
    case 'decimal':
      return column.declared.includes('zerofill')
        ? (cursor, length) => readAscii(cursor, length).replace(/^0+(?=\d)/, '')
        : readAscii;
    case 'bit':
      return type.length === 1 ? (cursor, length) => readBits(cursor, length) !== 0n : readBits;
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return readAscii;
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
      return (cursor, length) => cursor.text(length);
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return (cursor, length) => cursor.copy(length);
  }
}

function readAscii(cursor: Cursor, length: number): string {
  const { at } = cursor;
  cursor.at = at + length;
  return cursor.bytes.toString('latin1', at, at + length);
}

/** Up to 15 digits, with a sign or not. */
function readInteger(cursor: Cursor, length: number): number {
  const { bytes } = cursor;
  const end = cursor.at + length;
  let { at } = cursor;
  const negative = bytes[at] === 0x2d;
  if (negative) at += 1;
  let value = 0;
  for (; at < end; at += 1) value = value * 10 + (bytes[at] ?? 0) - 0x30;
  cursor.at = end;
  return negative && value !== 0 ? -value : value;
}

function readBits(cursor: Cursor, length: number): bigint {
  let value = 0n;
  for (let i = 0; i < length; i += 1) value = (value << 8n) | BigInt(cursor.u8());
  return value;
}
