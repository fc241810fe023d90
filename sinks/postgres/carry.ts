import type { Bytes } from '../../core/bytes.ts';
import type { ColumnType } from '../../core/table.ts';
import { hasNoEscapedNul, isZeroDate } from './unheld.ts';

/**
 * Makes a value that was printed as text from `from` to the end of `out` into a field of COPY's text format. False where that takes
 * more than escapes: then the value itself goes through the column's encoder.
 */
export type Carry = (out: Bytes, from: number) => boolean;

/** Null for the types whose text in PostgreSQL is another one. `encoder` says the same of values; a test compares both for every type. */
export function carryOf(kind: ColumnType['kind']): Carry | null {
  switch (kind) {
    case 'int':
    case 'bigint':
    case 'year':
    case 'double':
    case 'decimal':
    case 'time':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return asItIs;
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
      return escaped;
    case 'json':
      return json;
    case 'date':
    case 'datetime':
      return date;
    case 'timestamp':
      return timestamp;
    default:
      return null;
  }
}

const BACKSLASH = 0x5c;
const CARRIAGE_RETURN = 0x0d;
/** What stands for a byte behind a backslash; 0 for bytes that need none. No byte above the backslash does. */
const ESCAPES = new Uint8Array(BACKSLASH + 1);
for (const [byte, escape] of [
  ['\t', 't'],
  ['\n', 'n'],
  ['\r', 'r'],
  ['\\', '\\'],
] as const)
  ESCAPES[byte.charCodeAt(0)] = escape.charCodeAt(0);

const asItIs: Carry = () => true;

/** False for text with a zero byte, which PostgreSQL cannot hold. */
const escaped: Carry = (out, from) => {
  const { buffer, length } = out;
  let count = 0;
  for (let i = from; i < length; i += 1) {
    const byte = buffer[i] ?? 0;
    if (byte > CARRIAGE_RETURN && byte !== BACKSLASH) continue;
    if (byte === 0) return false;
    if (ESCAPES[byte] !== 0) count += 1;
  }
  if (count > 0) insertEscapes(out, from, count);
  return true;
};

/** Moves the text apart from behind, so that it needs no second buffer. */
function insertEscapes(out: Bytes, from: number, count: number): void {
  out.reserve(count);
  const { buffer, length } = out;
  let to = length + count;
  for (let i = length - 1; i >= from && to > i + 1; i -= 1) {
    const byte = buffer[i] ?? 0;
    const escape = byte > BACKSLASH ? 0 : (ESCAPES[byte] ?? 0);
    buffer[--to] = escape === 0 ? byte : escape;
    if (escape !== 0) buffer[--to] = BACKSLASH;
  }
  out.length = length + count;
}

const json: Carry = (out, from) => {
  if (!hasNoEscapedNul(out, from)) return false;
  const { buffer, length } = out;
  let count = 0;
  for (let i = from; i < length; i += 1) if (buffer[i] === BACKSLASH) count += 1;
  if (count > 0) insertEscapes(out, from, count);
  return true;
};

const date: Carry = (out, from) => !isZeroDate(out, from);

const timestamp: Carry = (out, from) => {
  if (!date(out, from)) return false;
  out.ascii('+00');
  return true;
};
