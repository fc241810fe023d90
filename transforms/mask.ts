import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ColumnOrigin, CompiledTransform, Transform, Value } from '../core/contracts.ts';
import { unreachable } from '../core/errors.ts';
import type { Column, TableSchema } from '../core/table.ts';
import { columnPattern, columnPatternSchema, matchesColumn, type Pattern } from './pattern.ts';
import { columnOf, columnsWhere, invalid, reshape, unchanged } from './shape.ts';

const columns = z.array(columnPatternSchema).min(1);
export const maskSchema = z.discriminatedUnion('with', [
  z.strictObject({
    columns,
    with: z.literal('hash'),
    key: z
      .string()
      .min(16, 'expected at least 16 characters')
      .meta({ description: 'secret of the HMAC, at least 16 characters; give it as ${VARIABLE}' }),
    length: z
      .int()
      .min(16)
      .max(64)
      .default(64)
      .meta({ description: 'hexadecimal digits to keep; at least 32 where a key column is hashed' }),
  }),
  z.strictObject({ columns, with: z.literal('redact') }),
  z.strictObject({
    columns,
    with: z.literal('partial'),
    keep: z
      .int()
      .min(1)
      .max(64)
      .meta({ description: 'characters to show at the end; never more than half of a value' }),
  }),
]);
/** `length` may be left out: 64. */
export type MaskOptions = z.input<typeof maskSchema>;

/** 128 bits: so many digits that two keys of a table never meet in one hash. */
const KEY_HASH_DIGITS = 32;

/**
 * Hides values; NULL stays NULL. `hash`: HMAC-SHA-256 of the canonical value in lower-case hexadecimal, equal for equal values in all
 * columns hashed with one key, so that joins go on working; the column becomes `varchar(length)`. `redact`: `***` in text columns, else
 * NULL. `partial`: `*` for every character but the last `keep`. Errors: TRANSFORM_INVALID where rows would lose their key or a column
 * could not hold the result.
 */
export function mask(options: MaskOptions, where: string): Transform {
  const patterns = options.columns.map(columnPattern);
  return {
    compile(table): CompiledTransform {
      const masked = columnsWhere(table, (column) => matchesColumn(patterns, table, column.name));
      if (masked.length === 0) return unchanged(table);
      for (const i of masked) refuse(table, i, options, where);
      const functions = table.columns.map((column, i) => (masked.includes(i) ? maskOf(column, options) : null));
      return {
        table: reshape(table, {
          columns: table.columns.map((column, i) => (masked.includes(i) ? maskedColumn(column, options) : column)),
        }),
        columns: table.columns.map((_, from) => originOf(from, functions[from] ?? null, options)),
        row(row) {
          const values = row.slice();
          for (const i of masked) values[i] = functions[i]?.(values[i] ?? null) ?? null;
          return values;
        },
      };
    },
  };
}

export function maskPatterns(options: MaskOptions): Pattern[] {
  return options.columns.map(columnPattern);
}

function refuse(table: TableSchema, index: number, options: MaskOptions, where: string): void {
  const column = table.columns[index];
  if (column === undefined) return;
  const name = columnOf(table, column);
  if (table.key.includes(index)) {
    if (options.with !== 'hash') {
      throw invalid(
        where,
        `${name} is part of the table's key; masked with ${options.with} different rows would become one`,
        'use mask with: hash for this column',
      );
    }
    if ((options.length ?? 64) < KEY_HASH_DIGITS) {
      throw invalid(
        where,
        `${name} is part of the table's key; ${options.length} digits of a hash are too few to keep its rows apart`,
        `leave length out, or set it to ${KEY_HASH_DIGITS} or more`,
      );
    }
    return;
  }
  if (options.with === 'hash' || isText(column)) return;
  if (options.with === 'partial') {
    throw invalid(where, `${name} is ${column.declared}; only text can be shown in part`, 'use hash or redact');
  }
  if (!column.nullable) {
    throw invalid(
      where,
      `${name} is ${column.declared} NOT NULL; redacted it would have to be NULL`,
      'use mask with: hash, or exclude the column',
    );
  }
}

/** A hash tells values apart as well as they were; what shows nothing or a part of them does not. */
function originOf(from: number, value: MaskFunction | null, options: MaskOptions): ColumnOrigin | null {
  if (value === null) return { from, form: null, value };
  if (options.with !== 'hash' || (options.length ?? 64) < KEY_HASH_DIGITS) return null;
  return { from, form: `hash ${hash(options.key, '')} ${String(options.length ?? 64)}`, value };
}

type MaskFunction = (value: Value) => Value;

function maskOf(column: Column, options: MaskOptions): MaskFunction {
  switch (options.with) {
    case 'hash': {
      const { key, length = 64 } = options;
      return (value) => (value === null ? null : hash(key, value).slice(0, length));
    }
    case 'redact': {
      if (!isText(column)) return () => null;
      const stars = '***'.slice(0, room(column));
      return (value) => (value === null ? null : stars);
    }
    case 'partial': {
      const { keep } = options;
      return (value) => (typeof value === 'string' ? partial(value, keep) : null);
    }
    default:
      return unreachable(options);
  }
}

function hash(key: string, value: Exclude<Value, null>): string {
  return createHmac('sha256', key)
    .update(value instanceof Uint8Array ? value : String(value))
    .digest('hex');
}

/** Shows at most half of a value, however short it is. */
function partial(value: string, keep: number): string {
  const characters = Array.from(value);
  const shown = Math.min(keep, Math.floor(characters.length / 2));
  return '*'.repeat(characters.length - shown) + characters.slice(characters.length - shown).join('');
}

function isText(column: Column): boolean {
  return column.type.kind === 'char' || column.type.kind === 'varchar' || column.type.kind === 'text';
}

function room(column: Column): number {
  return column.type.kind === 'char' || column.type.kind === 'varchar' ? column.type.length : Infinity;
}

/** The masked value is no longer what the source computes or fills in by itself. */
function maskedColumn(column: Column, options: MaskOptions): Column {
  const plain = { ...column, generated: null, default: null, autoIncrement: false };
  if (options.with !== 'hash') return plain;
  const length = options.length ?? 64;
  return { ...plain, type: { kind: 'varchar', length }, declared: `varchar(${length})`, charset: 'utf8mb4' };
}
