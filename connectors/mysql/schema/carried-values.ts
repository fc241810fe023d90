import type { Column, ColumnType, TableSchema } from '../../../core/table.ts';
import type { Evolved } from './evolve.ts';

const whole = new Set<ColumnType['kind']>(['int', 'bigint', 'year']);
const written = new Set<ColumnType['kind']>(['char', 'varchar', 'text', 'enum']);
const bytes = new Set<ColumnType['kind']>(['varbinary', 'blob']);
const constant =
  /^(?:[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|b'[01]*'|'(?:[^'\\]|''|\\.)*'|(?:current_timestamp|now|localtimestamp|localtime)(?:\s*\(\s*\d?\s*\))?)$/is;

/**
 * Whether every target can know what the rows that are there hold behind a change: the log shows no row of it. If not, because values
 * are computed by the server or converted by rules of its own, the table has to be copied again.
 */
export function carriesValues(before: TableSchema, { table, renamed, dropped }: Evolved): boolean {
  const old = new Map<string, Column>();
  for (const column of before.columns)
    if (!dropped.has(column.name)) old.set(renamed.get(column.name) ?? column.name, column);
  return table.columns.every((column) => {
    const was = old.get(column.name);
    return was === undefined ? isKnown(column) : was === column || isConverted(was, column);
  });
}

/** A new column holds its default. */
function isKnown(column: Column): boolean {
  if (column.generated !== null || column.autoIncrement) return false;
  if (column.default !== null) return constant.test(column.default);
  return column.nullable || hasImplicitDefault(column.type);
}

/** Zero, an empty text or the first label; the zero date is one that targets do not have. */
function hasImplicitDefault({ kind }: ColumnType): boolean {
  return (
    whole.has(kind) ||
    written.has(kind) ||
    bytes.has(kind) ||
    ['decimal', 'float', 'double', 'bit', 'set', 'time'].includes(kind)
  );
}

function isConverted(was: Column, is: Column): boolean {
  if (is.generated !== null || was.generated !== null) return was.generated === is.generated && was.type === is.type;
  const [from, to] = [was.type, is.type];
  if (whole.has(from.kind))
    return (
      whole.has(to.kind) || ['decimal', 'double'].includes(to.kind) || (written.has(to.kind) && to.kind !== 'enum')
    );
  if (from.kind === 'decimal') return (to.kind === 'decimal' && to.scale >= from.scale) || to.kind === 'double';
  if (written.has(from.kind)) return written.has(to.kind) && (to.kind !== 'enum' || keepsLabels(from, to.labels));
  if (bytes.has(from.kind)) return bytes.has(to.kind);
  if (from.kind === 'binary') return bytes.has(to.kind) || (to.kind === 'binary' && to.length === from.length);
  if (from.kind === 'set') return to.kind === 'set' && from.labels.every((label, i) => label === to.labels[i]);
  if (isTemporal(from))
    return (
      to.kind === from.kind &&
      (to.digits === from.digits || (from.digits < to.digits && (to.digits <= 3 || to.kind === 'time')))
    );
  if (from.kind === 'date' && to.kind === 'datetime') return to.digits <= 3;
  return JSON.stringify(sorted(from)) === JSON.stringify(sorted(to));
}

/** An ENUM keeps its texts, whatever their numbers; one that lost a label has rows that lost it too. */
function keepsLabels(from: ColumnType, labels: readonly string[]): boolean {
  return from.kind === 'enum' && from.labels.every((label) => labels.includes(label));
}

function isTemporal(type: ColumnType): type is ColumnType & { kind: 'datetime' | 'timestamp' | 'time' } {
  return type.kind === 'datetime' || type.kind === 'timestamp' || type.kind === 'time';
}

function sorted(type: ColumnType): readonly (readonly [string, unknown])[] {
  return Object.entries(type).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
