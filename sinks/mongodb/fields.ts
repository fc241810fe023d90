import { Bytes } from '../../core/bytes.ts';
import type { Row, Value } from '../../core/contracts.ts';
import { daysOf, fractionOf, secondsOf } from '../../core/date-text.ts';
import { unreachable } from '../../core/errors.ts';
import { wholeNumberOf } from '../../core/number-text.ts';
import { isNullAt, PackedRow, printAt, valueAt } from '../../core/row.ts';
import type { ColumnType } from '../../core/table.ts';
import { isValidUtf8 } from '../../core/utf8.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { appendJson } from './append-json.ts';
import * as bson from './bson.ts';
import { appendDecimal128, MAX_DIGITS } from './decimal128.ts';
import type { Convert } from './values.ts';

/** Appends a column of a row as a BSON value, and gives its type. Errors: as of `Convert`. */
export type Append = (out: Bytes, row: Row, index: number, onChanged?: OnChanged) => number;

/** Appends a value as BSON and gives its type; 0, with anything appended, where `convert` has to say what becomes of it. */
type FromText = (out: Bytes, text: Bytes) => number;
type FromValue = (out: Bytes, value: NonNullable<Value>) => number;

const scratch = new Bytes(256);

/** Writes what `convert` gives, without making it where that can be avoided: for most columns straight from the source's bytes. */
export function appendOf(type: ColumnType, convert: Convert): Append {
  switch (type.kind) {
    case 'int':
      return fromValue(type.unsigned && type.bits === 32 ? long : int, convert);
    case 'year':
      return fromValue(int, convert);
    case 'bigint':
      return fromDigits(convert);
    case 'bit':
      return fromValue(type.length === 1 ? boolean : long, convert);
    case 'boolean':
      return fromValue(boolean, convert);
    case 'float':
    case 'double':
      return fromValue(double, convert);
    case 'decimal':
      return type.precision > MAX_DIGITS ? text(convert) : fromText(decimal, convert);
    case 'date':
      return fromText(date, convert);
    case 'datetime':
    case 'timestamp':
      return fromText(type.digits > 3 ? isoText(type.kind === 'timestamp' ? 'Z' : '') : moment, convert);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'time':
    case 'inet4':
    case 'inet6':
      return text(convert);
    case 'set':
      return fromText(labels, convert);
    case 'json':
      return fromText(appendJson, convert);
    case 'uuid':
      return fromText(uuid, convert);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return fromValue(binary, convert);
    case 'vector':
      return fromValue(vector, convert);
    case 'geometry':
      return fromValue(() => 0, convert);
    default:
      return unreachable(type);
  }
}

/** A column whose canonical value is a string, as that. */
export const appendText = text((value) => value);

/** For types that are made from the canonical text. */
function fromText(append: FromText, convert: Convert): Append {
  return (out, row, index, onChanged) => {
    if (isNullAt(row, index)) return bson.NULL;
    const at = out.length;
    scratch.reset();
    const type = printAt(row, index, scratch) ? append(out, scratch) : 0;
    return type === 0 ? converted(out, at, row, index, convert, onChanged) : type;
  };
}

/** For types that are made from the value. */
function fromValue(append: FromValue, convert: Convert): Append {
  return (out, row, index, onChanged) => {
    const value = valueAt(row, index);
    if (value === null) return bson.NULL;
    const at = out.length;
    const type = append(out, value);
    return type === 0 ? converted(out, at, row, index, convert, onChanged) : type;
  };
}

/** For whole numbers that may need a bigint, which few of them do. */
function fromDigits(convert: Convert): Append {
  return (out, row, index, onChanged) => {
    if (isNullAt(row, index)) return bson.NULL;
    const at = out.length;
    scratch.reset();
    const type = row instanceof PackedRow && row.print(index, scratch) ? digits(out, scratch) : 0;
    const known = type === 0 ? long(out, valueAt(row, index) ?? 0) : type;
    return known === 0 ? converted(out, at, row, index, convert, onChanged) : known;
  };
}

/** For types whose value is their text. */
function text(convert: Convert): Append {
  return (out, row, index, onChanged) => {
    if (isNullAt(row, index)) return bson.NULL;
    const from = bson.beginString(out);
    if (!printAt(row, index, out) || (row instanceof PackedRow && !isValidUtf8(out.buffer, from, out.length)))
      return converted(out, from - 4, row, index, convert, onChanged);
    bson.endString(out, from);
    return bson.STRING;
  };
}

/** What `convert` makes of a value, instead of what was written from `at` on. */
function converted(out: Bytes, at: number, row: Row, index: number, convert: Convert, onChanged?: OnChanged): number {
  out.length = at;
  const value = valueAt(row, index);
  return value === null ? bson.NULL : bson.appendAny(out, convert(value, onChanged));
}

function int(out: Bytes, value: NonNullable<Value>): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) return 0;
  out.int32le(value);
  return bson.INT;
}

/** What a bigint of 64 bits holds, of a number or a bigint. */
function long(out: Bytes, value: NonNullable<Value>): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) out.int64le(value);
  else if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) {
    out.int32le(Number(BigInt.asIntN(32, value)));
    out.int32le(Number(BigInt.asIntN(32, value >> 32n)));
  } else return 0;
  return bson.LONG;
}

/** More digits than a number holds are left to a bigint. */
function digits(out: Bytes, text: Bytes): number {
  if (text.length === 0 || text.length > 15) return 0;
  const value = wholeNumberOf(text);
  if (Number.isNaN(value)) return 0;
  out.int64le(value);
  return bson.LONG;
}

function boolean(out: Bytes, value: NonNullable<Value>): number {
  if (typeof value !== 'boolean') return 0;
  out.byte(value ? 1 : 0);
  return bson.BOOLEAN;
}

function double(out: Bytes, value: NonNullable<Value>): number {
  if (typeof value !== 'number') return 0;
  out.float64le(value);
  return bson.DOUBLE;
}

function decimal(out: Bytes, text: Bytes): number {
  return appendDecimal128(out, text) ? bson.DECIMAL : 0;
}

const DAY_MS = 86_400_000;

/** Days that no calendar has are for the policies. */
function date(out: Bytes, text: Bytes): number {
  const days = daysOf(text);
  if (Number.isNaN(days)) return 0;
  out.int64le(days * DAY_MS);
  return bson.DATE;
}

function moment(out: Bytes, text: Bytes): number {
  const seconds = secondsOf(text);
  if (Number.isNaN(seconds)) return 0;
  out.int64le(seconds * 1000 + fractionOf(text, 19, 3));
  return bson.DATE;
}

const T = 0x54;

function isoText(zone: '' | 'Z'): FromText {
  return (out, text) => {
    if (Number.isNaN(daysOf(text))) return 0;
    const from = bson.beginString(out);
    out.copy(text.buffer, 0, text.length);
    out.buffer[from + 10] = T;
    out.ascii(zone);
    bson.endString(out, from);
    return bson.STRING;
  };
}

const COMMA = 0x2c;

function labels(out: Bytes, text: Bytes): number {
  if (!isValidUtf8(text.buffer, 0, text.length)) return 0;
  const array = bson.open(out);
  let from = 0;
  for (let i = 0; text.length > 0 && from <= text.length; i += 1) {
    const found = text.buffer.indexOf(COMMA, from);
    const to = found < 0 || found > text.length ? text.length : found;
    arrayElement(out, bson.STRING, i);
    const begun = bson.beginString(out);
    out.copy(text.buffer, from, to);
    bson.endString(out, begun);
    from = to + 1;
  }
  bson.close(out, array);
  return bson.ARRAY;
}

function vector(out: Bytes, value: NonNullable<Value>): number {
  if (!(value instanceof Uint8Array)) return 0;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const array = bson.open(out);
  for (let i = 0; i < value.length >> 2; i += 1) {
    arrayElement(out, bson.DOUBLE, i);
    out.float64le(view.getFloat32(i * 4, true));
  }
  bson.close(out, array);
  return bson.ARRAY;
}

function arrayElement(out: Bytes, type: number, index: number): void {
  out.byte(type);
  out.integer(index);
  out.byte(0);
}

function binary(out: Bytes, value: NonNullable<Value>): number {
  if (!(value instanceof Uint8Array)) return 0;
  appendBinary(out, value, SUBTYPE.generic);
  return bson.BINARY;
}

const SUBTYPE = { generic: 0, uuid: 4 } as const;

function uuid(out: Bytes, text: Bytes): number {
  const hex = text.buffer.toString('latin1', 0, text.length).replaceAll('-', '');
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length !== 16 || hex.length !== 32) return 0;
  appendBinary(out, bytes, SUBTYPE.uuid);
  return bson.BINARY;
}

function appendBinary(out: Bytes, value: Uint8Array, subtype: number): void {
  out.int32le(value.length);
  out.byte(subtype);
  out.copy(value, 0, value.length);
}
