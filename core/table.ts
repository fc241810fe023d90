import { createHash } from 'node:crypto';

/**
 * A column's declared type, parsed once from the source. Its `kind` decides the canonical value (see `Value`) and, by one rule
 * per target, the target's type. Lengths are in characters for text and in bytes for binary; `digits` are fractional seconds.
 */
export type ColumnType =
  | { readonly kind: 'int'; readonly bits: 8 | 16 | 24 | 32; readonly unsigned: boolean }
  | { readonly kind: 'bigint'; readonly unsigned: boolean }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'float' | 'double' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'bit'; readonly length: number }
  | { readonly kind: 'char' | 'varchar'; readonly length: number }
  | { readonly kind: 'text' }
  | { readonly kind: 'binary' | 'varbinary'; readonly length: number }
  | { readonly kind: 'blob' }
  | { readonly kind: 'date' | 'year' }
  | { readonly kind: 'datetime' | 'timestamp' | 'time'; readonly digits: number }
  | { readonly kind: 'enum' | 'set'; readonly labels: readonly string[] }
  | { readonly kind: 'json' }
  | { readonly kind: 'geometry'; readonly shape: string }
  | { readonly kind: 'vector'; readonly dimension: number }
  | { readonly kind: 'uuid' | 'inet4' | 'inet6' };

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The type as the source declares it, in full: `bigint(20) unsigned`. For people and for Avro; code looks at `type`. */
  readonly declared: string;
  readonly nullable: boolean;
  /** The character set of a text column as the source names it, null for every other type. */
  readonly charset: string | null;
  readonly generated: 'virtual' | 'stored' | null;
  /** The default as the source writes it (an SQL literal or expression), null where there is none. */
  readonly default: string | null;
  readonly autoIncrement: boolean;
}

/** One table as it was at one place in the source's history. Rows are arrays in the order of `columns`. */
export interface TableSchema {
  /** Where the rows go by default: the source's database, until a transform routes the table elsewhere. */
  readonly database: string;
  readonly name: string;
  /** `database.table` at the source; transforms keep it, so that counts and dead letters name what the operator knows. */
  readonly origin: string;
  readonly columns: readonly Column[];
  /** Indexes into `columns`: the primary key, else a unique key without NULLs; empty when the table has neither. */
  readonly key: readonly number[];
  /** Equal for equal shapes: compiled code and Avro schemas are cached by it. */
  readonly fingerprint: string;
}

/** Builds a table schema and its fingerprint. */
export function tableSchema(parts: Omit<TableSchema, 'fingerprint'>): TableSchema {
  const { database, name, origin, columns, key } = parts;
  const shape = JSON.stringify([database, name, origin, columns, key]);
  return {
    database,
    name,
    origin,
    columns,
    key,
    fingerprint: createHash('sha256').update(shape).digest('hex').slice(0, 16),
  };
}

/** `database.table` where the rows go. */
export function qualifiedName(table: Pick<TableSchema, 'database' | 'name'>): string {
  return `${table.database}.${table.name}`;
}
