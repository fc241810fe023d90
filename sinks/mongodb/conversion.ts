import { Decimal128, type Document } from 'mongodb';
import type { ColumnType } from '../../core/table.ts';
import { MAX_DIGITS } from './decimal128.ts';

/** What becomes of the values in documents that are there: they stay as they are, are computed anew, or cannot be known here (null). */
export type Conversion = 'stay' | ((value: Document) => Document) | null;

const whole = new Set<ColumnType['kind']>(['int', 'bigint', 'year']);
const written = new Set<ColumnType['kind']>(['char', 'varchar', 'text', 'enum']);
const binary = new Set<ColumnType['kind']>(['binary', 'varbinary', 'blob']);

/**
 * How values follow a column whose type the source changed; it tells of no row then. Each expression leaves alone what it has converted
 * already. `value` is the field, never null.
 */
export function conversion(from: ColumnType, to: ColumnType): Conversion {
  if (whole.has(from.kind)) return ofWhole(to);
  if (written.has(from.kind)) return written.has(to.kind) ? 'stay' : null;
  if (from.kind === 'decimal' && to.kind === 'decimal') return rescaled(from, to);
  if (from.kind === 'decimal' && to.kind === 'double') return (value) => ({ $toDouble: value });
  if (binary.has(from.kind)) return ofBinary(from, to);
  if (from.kind === 'time' && to.kind === 'time') return longerTime(from.digits, to.digits);
  if (from.kind === 'set' && to.kind === 'set') return keepsPrefix(from.labels, to.labels) ? 'stay' : null;
  const dates = isDate(from) && isDate(to) && digitsOf(from) <= digitsOf(to);
  if (dates && (from.kind === to.kind || from.kind === 'date')) return 'stay';
  return JSON.stringify(from) === JSON.stringify(to) ? 'stay' : null;
}

/** Numbers of different types are equal to MongoDB. */
function ofWhole(to: ColumnType): Conversion {
  if (whole.has(to.kind)) return 'stay';
  if (to.kind === 'double' || to.kind === 'float') return (value) => ({ $toDouble: value });
  if (to.kind === 'decimal') return to.precision > MAX_DIGITS ? null : (value) => scaled(value, to.scale);
  return written.has(to.kind) ? (value) => ({ $toString: value }) : null;
}

function rescaled(from: ColumnType & { kind: 'decimal' }, to: ColumnType & { kind: 'decimal' }): Conversion {
  if (from.precision > MAX_DIGITS || to.precision > MAX_DIGITS)
    return from.scale === to.scale && from.precision > MAX_DIGITS && to.precision > MAX_DIGITS ? 'stay' : null;
  if (to.scale < from.scale) return null;
  return to.scale === from.scale ? 'stay' : (value) => scaled(value, to.scale);
}

/** A sum has the longer scale of its parts. */
function scaled(value: Document, scale: number): Document {
  const zero = Decimal128.fromString(scale === 0 ? '0' : `0.${'0'.repeat(scale)}`);
  return { $add: [{ $toDecimal: value }, zero] };
}

function ofBinary(from: ColumnType, to: ColumnType): Conversion {
  if (!binary.has(to.kind)) return null;
  const padded = to.kind === 'binary' && !(from.kind === 'binary' && from.length === to.length);
  return padded ? null : 'stay';
}

function longerTime(from: number, to: number): Conversion {
  if (to <= from) return to === from ? 'stay' : null;
  const dot = from === 0 ? '.' : '';
  const longer = (value: Document): Document => ({ $concat: [value, `${dot}${'0'.repeat(to - from)}`] });
  const digits = (value: Document): Document => ({ $strLenCP: { $arrayElemAt: [{ $split: [value, '.'] }, -1] } });
  const short = (value: Document): Document =>
    from === 0 ? { $eq: [{ $indexOfCP: [value, '.'] }, -1] } : { $eq: [digits(value), from] };
  return (value) => ({ $cond: [short(value), longer(value), value] });
}

function keepsPrefix(from: readonly string[], to: readonly string[]): boolean {
  return from.every((label, i) => label === to[i]);
}

type DateType = ColumnType & { readonly kind: 'date' | 'datetime' | 'timestamp' };

/** What has more than milliseconds is kept as text. */
function isDate(type: ColumnType): type is DateType {
  return type.kind === 'date' || ((type.kind === 'datetime' || type.kind === 'timestamp') && type.digits <= 3);
}

function digitsOf(type: DateType): number {
  return type.kind === 'date' ? 0 : type.digits;
}
