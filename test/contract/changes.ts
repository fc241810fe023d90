import type { Batch, Change, Moment, Row, RowChange } from '../../core/contracts.ts';
import { type Column, type ColumnType, type TableSchema, tableSchema } from '../../core/table.ts';

/** Short builders of schemas, changes and batches for tests of targets. */

const at: Moment = { committedAtMs: 1_700_000_000_000, gtid: null, file: 'binlog.000001', offset: 4, serverId: 1 };

export const int: ColumnType = { kind: 'int', bits: 32, unsigned: false };
export const text: ColumnType = { kind: 'varchar', length: 200 };

export function column(name: string, type: ColumnType, more: Partial<Column> = {}): Column {
  return {
    name,
    type,
    declared: type.kind,
    nullable: true,
    charset: 'length' in type || type.kind === 'text' ? 'utf8mb4' : null,
    generated: null,
    default: null,
    autoIncrement: false,
    ...more,
  };
}

/** A table of database `shop`; the columns named in `key` are made NOT NULL. */
export function table(name: string, columns: readonly Column[], key: readonly string[]): TableSchema {
  return tableSchema({
    database: 'shop',
    name,
    origin: `shop.${name}`,
    columns: columns.map((column) => (key.includes(column.name) ? { ...column, nullable: false } : column)),
    key: key.map((name) => columns.findIndex((column) => column.name === name)),
  });
}

export function read(table: TableSchema, after: Row): RowChange {
  return { kind: 'read', table, before: null, after, at };
}

export function insert(table: TableSchema, after: Row): RowChange {
  return { kind: 'insert', table, before: null, after, at };
}

export function update(table: TableSchema, before: Row, after: Row): RowChange {
  return { kind: 'update', table, before, after, at };
}

export function remove(table: TableSchema, before: Row): RowChange {
  return { kind: 'delete', table, before, after: null, at };
}

export function truncate(table: TableSchema): Change {
  return { kind: 'truncate', table, at };
}

export function alter(before: TableSchema | null, after: TableSchema | null): Change {
  return { kind: 'schema', before, after, statement: 'ALTER TABLE', at };
}

/** A batch whose checkpoint sets entry `stream` to `token`. */
export function batch(changes: readonly Change[], token: string): Batch {
  return { ...part(changes), checkpoint: { set: new Map([['stream', token]]), drop: [] } };
}

/** A part of a large transaction: no checkpoint. */
export function part(changes: readonly Change[]): Batch {
  return { changes, checkpoint: null, bytes: 100 * changes.length, copying: new Set(), barrier: null };
}

export const stream = { name: 'stream', kind: 'stream' } as const;
export const copy = { name: 'copy', kind: 'copy' } as const;
