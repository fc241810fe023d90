import { z } from 'zod';
import type { CompiledTransform, Transform } from '../core/contracts.ts';
import type { TableSchema } from '../core/table.ts';
import { columnPattern, columnPatternSchema, type Pattern, tablePattern, tablePatternSchema } from './pattern.ts';
import { invalid, reshape } from './shape.ts';

const newName = z
  .string()
  .min(1)
  .regex(/^[^.*]+$/, 'expected a plain name; use route to move a table to another schema');
const oneName = /(^|\.)[^*.]+$/;

export const renameSchema = z
  .strictObject({
    tables: z
      .record(tablePatternSchema.regex(oneName, 'a table to be renamed is named in full, without *'), newName)
      .meta({ description: 'new names of tables' })
      .optional(),
    columns: z
      .record(columnPatternSchema.regex(oneName, 'a column to be renamed is named in full, without *'), newName)
      .meta({ description: 'new names of columns; the table part may hold *' })
      .optional(),
    case: z
      .enum(['snake', 'camel', 'lower', 'upper'])
      .meta({ description: 'one way of writing for every table and column that is not named above' })
      .optional(),
  })
  .refine((options) => Object.keys(options).length > 0, 'expected tables, columns or case');
export type RenameOptions = z.infer<typeof renameSchema>;

/** Gives tables and columns other names. Errors: TRANSFORM_INVALID where two columns of a table would have one name. */
export function rename(options: RenameOptions, where: string): Transform {
  const tables = renames(options.tables, tablePattern);
  const columns = renames(options.columns, columnPattern);
  const cased = options.case === undefined ? (name: string): string => name : cases[options.case];
  const columnName = (table: TableSchema, name: string): string =>
    columns.find(({ from }) => from.table(table) && from.column?.(name) === true)?.to ?? cased(name);
  return {
    compile(table): CompiledTransform {
      const named = table.columns.map((column) => ({ ...column, name: columnName(table, column.name) }));
      refuseTwins(table, named, where);
      const name = tables.find(({ from }) => from.table(table))?.to ?? cased(table.name);
      return { table: reshape(table, { name, columns: named }), row: (row) => row };
    },
  };
}

export function renamePatterns(options: RenameOptions): Pattern[] {
  return [
    ...Object.keys(options.tables ?? {}).map(tablePattern),
    ...Object.keys(options.columns ?? {}).map(columnPattern),
  ];
}

function renames(
  names: Readonly<Record<string, string>> | undefined,
  parse: (text: string) => Pattern,
): { from: Pattern; to: string }[] {
  return Object.entries(names ?? {}).map(([from, to]) => ({ from: parse(from), to }));
}

function refuseTwins(table: TableSchema, named: readonly { name: string }[], where: string): void {
  const twin = named.findIndex(({ name }, i) => named.findIndex((other) => other.name === name) !== i);
  const name = named[twin]?.name;
  if (name === undefined) return;
  const from = table.columns.filter((_, i) => named[i]?.name === name).map((column) => column.name);
  throw invalid(
    where,
    `${from.join(' and ')} of ${table.origin} would both be called ${name}`,
    `give one of them another name under rename.columns, or exclude it before`,
  );
}

/** The words of a name: split at anything that is neither letter nor digit and where small letters give way to capitals. */
function words(name: string): string[] {
  return name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1_$2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter((word) => word !== '');
}

const cases = {
  lower: (name: string): string => name.toLowerCase(),
  upper: (name: string): string => name.toUpperCase(),
  snake: (name: string): string => underscores(name) + words(name).join('_').toLowerCase(),
  camel(name: string): string {
    const [first = '', ...rest] = words(name);
    const capitalised = rest.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase());
    return underscores(name) + first.toLowerCase() + capitalised.join('');
  },
} satisfies Record<string, (name: string) => string>;

/** What a name begins with by intent: `_id` stays `_id`. */
function underscores(name: string): string {
  return /^_*/.exec(name)?.[0] ?? '';
}
