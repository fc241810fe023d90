import { z } from 'zod';
import type { Values, Value } from '../core/contracts.ts';
import { unreachable } from '../core/errors.ts';
import { type ColumnType, type TableSchema, tableSchema } from '../core/table.ts';

const count = z.int().min(0);
const columnType = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('int'), bits: z.literal([8, 16, 24, 32]), unsigned: z.boolean() }),
  z.object({ kind: z.literal('bigint'), unsigned: z.boolean() }),
  z.object({ kind: z.literal('decimal'), precision: count, scale: count }),
  z.object({ kind: z.literal(['bit', 'char', 'varchar', 'binary', 'varbinary']), length: count }),
  z.object({ kind: z.literal(['datetime', 'timestamp', 'time']), digits: count.max(6) }),
  z.object({ kind: z.literal(['enum', 'set']), labels: z.array(z.string()) }),
  z.object({ kind: z.literal('geometry'), shape: z.string() }),
  z.object({ kind: z.literal('vector'), dimension: count }),
  z.object({
    kind: z.literal(['float', 'double', 'boolean', 'text', 'blob', 'date', 'year', 'json', 'uuid', 'inet4', 'inet6']),
  }),
]) satisfies z.ZodType<ColumnType>;

const scriptedTable = z.object({
  database: z.string().min(1),
  name: z.string().min(1),
  columns: z
    .array(
      z.object({
        name: z.string().min(1),
        type: columnType,
        declared: z.string(),
        nullable: z.boolean(),
        charset: z.string().nullable(),
        generated: z.enum(['virtual', 'stored']).nullable(),
        default: z.string().nullable(),
        autoIncrement: z.boolean(),
      }),
    )
    .min(1),
  key: z.array(count),
});

/** What a script gave for a table, made a table of ours under the same origin; or in words what is wrong with it. */
export function parseScriptedTable(value: unknown, source: TableSchema): TableSchema | string {
  const parsed = scriptedTable.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a table'}`;
  }
  const { columns, key } = parsed.data;
  if (new Set(columns.map(({ name }) => name)).size < columns.length) return 'two columns have one name';
  if (key.some((i) => i >= columns.length)) return 'the key names a column that is not there';
  if (source.key.length > 0 && key.length === 0) return 'the table has lost its key';
  return tableSchema({ ...parsed.data, origin: source.origin });
}

/** Checks rows of a table: gives the row, or in words what is wrong with it, naming the column and never the value. */
export function rowParser(table: TableSchema): (value: unknown) => Values | string {
  const width = table.columns.length;
  const types = table.columns.map((column) => valueType(column.type));
  const nullable = table.columns.map((column, i) => column.nullable && !table.key.includes(i));
  return (value) => {
    if (!isArray(value)) return 'it is no array';
    if (value.length !== width) return `it has ${value.length} values for ${width} columns`;
    for (let i = 0; i < width; i++) {
      const one = value[i];
      const fits =
        one === null ? nullable[i] : types[i] === 'bytes' ? one instanceof Uint8Array : typeof one === types[i];
      if (fits !== true)
        return `the value of ${table.columns[i]?.name ?? ''} is not ${nullable[i] ? 'NULL or ' : ''}a ${types[i]}`;
    }
    return value as readonly Value[];
  };
}

function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The JavaScript type of a canonical value (`Value` in core/contracts.ts). */
function valueType(type: ColumnType): 'number' | 'bigint' | 'string' | 'boolean' | 'bytes' {
  switch (type.kind) {
    case 'int':
    case 'year':
    case 'float':
    case 'double':
      return 'number';
    case 'bigint':
      return 'bigint';
    case 'bit':
      return type.length === 1 ? 'boolean' : 'bigint';
    case 'boolean':
      return 'boolean';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return 'bytes';
    case 'decimal':
    case 'char':
    case 'varchar':
    case 'text':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'string';
    default:
      return unreachable(type);
  }
}
