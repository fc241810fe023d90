import { Bytes } from '../../core/bytes.ts';
import { unreachable } from '../../core/errors.ts';
import type { Column } from '../../core/table.ts';
import { daysOf, fractionOf, microsOfTime, secondsOf } from '../../core/date-text.ts';
import { writeDecimal, writeDecimalText } from './decimal.ts';
import { AvroWriter } from './writer.ts';

declare global {
  /** In Node since 21, not in TypeScript's library yet. Source: https://github.com/tc39/proposal-json-parse-with-source */
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

/**
 * The default (Avro's JSON form) of a field that is never null; undefined where it has none. It is the column's own default where that
 * is a literal, else the type's implicit one: with it a column can be added and dropped and old and new messages still be read with
 * either schema. Dates without one get 1970-01-01, as Debezium does it. No row that Lockstep reads ever gets a default.
 * Source: MySQL manual, "Data Type Default Values".
 */
export function avroDefault(column: Column): unknown {
  const literal = literalOf(column.default);
  const own = literal === null ? undefined : ofLiteral(column, literal);
  return own ?? implicit(column);
}

/** The text of an SQL literal: what stands between quotes, or a number; null for expressions. */
function literalOf(text: string | null): string | null {
  if (text === null) return null;
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return text;
  const quoted = /^'((?:[^'\\]|'')*)'$/s.exec(text)?.[1];
  return quoted === undefined ? null : quoted.replaceAll("''", "'");
}

function ofLiteral(column: Column, text: string): unknown {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
      return whole(text);
    case 'bigint':
      return type.unsigned ? decimal(text, 0) : whole(text);
    case 'decimal':
      return decimal(text, type.scale);
    case 'float':
    case 'double':
      return Number.isFinite(Number(text)) ? fraction(Number(text)) : undefined;
    case 'boolean':
      return text === '0' || text === '1' ? text === '1' : undefined;
    case 'date':
      return number(daysOf(bytesOf(text)));
    case 'datetime':
      return number(
        type.digits > 3
          ? secondsOf(bytesOf(text)) * 1_000_000 + fractionOf(bytesOf(text), 19, 6)
          : secondsOf(bytesOf(text)) * 1000 + fractionOf(bytesOf(text), 19, 3),
      );
    case 'time':
      return number(microsOfTime(bytesOf(text)));
    case 'char':
    case 'varchar':
    case 'text':
      return text;
    case 'enum':
      return type.labels.includes(text) ? text : undefined;
    case 'set':
      return text.split(',').every((label) => label === '' || type.labels.includes(label)) ? text : undefined;
    case 'timestamp':
    case 'bit':
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'json':
    case 'geometry':
    case 'vector':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return undefined;
    default:
      return unreachable(type);
  }
}

function implicit(column: Column): unknown {
  const { type } = column;
  switch (type.kind) {
    case 'int':
    case 'year':
    case 'date':
    case 'datetime':
    case 'time':
      return 0;
    case 'float':
    case 'double':
      return fraction(0);
    case 'bigint':
      return type.unsigned ? decimal('0', 0) : 0;
    case 'decimal':
      return decimal('0', type.scale);
    case 'boolean':
      return false;
    case 'bit':
      return type.length === 1 ? false : '\0'.repeat(Math.ceil(type.length / 8));
    case 'timestamp':
      return '1970-01-01T00:00:00Z';
    case 'enum':
      return type.labels[0] ?? '';
    case 'char':
    case 'varchar':
    case 'text':
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'set':
      return '';
    case 'json':
      return 'null';
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000';
    case 'inet4':
      return '0.0.0.0';
    case 'inet6':
      return '::';
    case 'vector':
      return [];
    case 'geometry':
      return undefined;
    default:
      return unreachable(type);
  }
}

/** As JSON `0.0`, never `0`: Python's fastavro refuses a whole number where the type is float or double. */
function fraction(value: number): unknown {
  const text = String(value);
  return /^-?\d+$/.test(text) ? JSON.rawJSON(`${text}.0`) : value;
}

function whole(text: string): number | undefined {
  return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

function bytesOf(text: string): Bytes {
  const bytes = new Bytes(3 * text.length);
  bytes.text(text);
  return bytes;
}

function number(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Avro writes the default of bytes as text, one character per byte. */
function decimal(text: string, scale: number): string | undefined {
  const writer = new AvroWriter(64);
  if (/^-?\d+$/.test(text) && scale === 0) writeDecimal(writer, BigInt(text));
  else if (!writeDecimalText(writer, bytesOf(text), scale)) return undefined;
  return writer.buffer.toString('latin1', 1, writer.length);
}
