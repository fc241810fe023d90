import { z } from 'zod';
import type { Transform } from '../core/contracts.ts';
import type { TableSchema } from '../core/table.ts';
import { filter, filterPatterns, filterSchema } from './filter.ts';
import { mask, maskPatterns, maskSchema } from './mask.ts';
import type { Pattern } from './pattern.ts';
import { rename, renamePatterns, renameSchema } from './rename.ts';
import { route, routePatterns, routeSchema } from './route.ts';
import { script, scriptPatterns, scriptSchema } from './script.ts';
import { exclude, include, selectPatterns, selectSchema } from './select.ts';

/** One item of a target's `transforms`: exactly one of these keys. */
export const transformSchema = z
  .strictObject({
    rename: renameSchema.optional(),
    exclude: selectSchema.optional(),
    include: selectSchema.optional(),
    filter: filterSchema.optional(),
    mask: maskSchema.optional(),
    route: routeSchema.optional(),
    script: scriptSchema.optional(),
  })
  .refine((item) => Object.keys(item).length === 1, {
    message: 'expected one transform per list item: begin each with its own "- "',
    when: ({ issues }) => issues.length === 0,
  })
  .meta({ minProperties: 1, maxProperties: 1 });
export type TransformItem = z.infer<typeof transformSchema>;

/**
 * The transforms of one target, in order. `baseDir` is the folder of the config file; script modules are found from there. Errors:
 * TRANSFORM_INVALID where a script cannot be loaded. What does not fit a table shows when the table is compiled.
 */
export async function openTransforms(
  items: readonly TransformItem[],
  options: { readonly baseDir: string },
): Promise<Transform[]> {
  const transforms: Transform[] = [];
  for (const [i, item] of items.entries()) transforms.push(...(await openItem(item, i, options.baseDir)));
  return transforms;
}

async function openItem(item: TransformItem, index: number, baseDir: string): Promise<Transform[]> {
  const opened = withoutCode(item, index);
  const where = `transforms[${index}]`;
  if (item.filter !== undefined) opened.push(await filter(item.filter, `${where}.filter`));
  if (item.script !== undefined) opened.push(await script(item.script, baseDir, `${where}.script`));
  return opened;
}

/** The item's transform where that is known from the config alone: filters change no schema, scripts must be loaded. */
function withoutCode(item: TransformItem, index: number): Transform[] {
  const where = `transforms[${index}]`;
  const transforms: Transform[] = [];
  if (item.rename !== undefined) transforms.push(rename(item.rename, `${where}.rename`));
  if (item.exclude !== undefined) transforms.push(exclude(item.exclude, `${where}.exclude`));
  if (item.include !== undefined) transforms.push(include(item.include, `${where}.include`));
  if (item.mask !== undefined) transforms.push(mask(item.mask, `${where}.mask`));
  if (item.route !== undefined) transforms.push(route(item.route));
  return transforms;
}

/**
 * The patterns that match nothing in any of the source's tables, as sentences for a person: a misspelt column would otherwise never be
 * masked. Where a script may have changed a table, its columns count as matched. Errors: TRANSFORM_INVALID, as compiling has.
 */
export function unmatched(items: readonly TransformItem[], tables: readonly TableSchema[]): string[] {
  const waiting = items.map((item) => new Set(patternsOf(item)));
  for (const table of tables) walk(items, table, waiting);
  return waiting.flatMap((patterns, i) =>
    [...patterns].map(({ text, column }) => {
      const name = Object.keys(items[i] ?? {})[0] ?? '';
      return `transforms[${i}].${name}: ${text} matches no ${column === null ? 'table' : 'column'}`;
    }),
  );
}

function walk(items: readonly TransformItem[], source: TableSchema, waiting: readonly Set<Pattern>[]): void {
  let table = source;
  let scripted = false;
  for (const [i, item] of items.entries()) {
    for (const pattern of waiting[i] ?? []) if (matches(pattern, table, scripted)) waiting[i]?.delete(pattern);
    if (item.script !== undefined && scriptPatterns(item.script).some((pattern) => pattern.table(table)))
      scripted = true;
    for (const transform of withoutCode(item, i)) {
      const compiled = transform.compile(table);
      if (compiled === null) return;
      table = compiled.table;
    }
  }
}

function matches(pattern: Pattern, table: TableSchema, scripted: boolean): boolean {
  const { column } = pattern;
  if (!pattern.table(table)) return false;
  return column === null || scripted || table.columns.some(({ name }) => column(name));
}

function patternsOf(item: TransformItem): Pattern[] {
  return [
    ...(item.rename === undefined ? [] : renamePatterns(item.rename)),
    ...(item.exclude === undefined ? [] : selectPatterns(item.exclude)),
    ...(item.include === undefined ? [] : selectPatterns(item.include)),
    ...(item.filter === undefined ? [] : filterPatterns(item.filter)),
    ...(item.mask === undefined ? [] : maskPatterns(item.mask)),
    ...(item.route === undefined ? [] : routePatterns(item.route)),
    ...(item.script === undefined ? [] : scriptPatterns(item.script)),
  ];
}
