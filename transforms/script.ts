import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { CompiledTransform, Values, Transform } from '../core/contracts.ts';
import { LockstepError } from '../core/errors.ts';
import type { TableSchema } from '../core/table.ts';
import { type Pattern, tablePattern, tablePatternSchema } from './pattern.ts';
import { parseScriptedTable, rowParser } from './scripted-table.ts';
import { invalid, unchanged } from './shape.ts';

export const scriptSchema = z.strictObject({
  module: z
    .string()
    .regex(/\.[cm]?[jt]s$/, 'expected a path that ends in .ts, .mts, .js, .mjs or .cjs')
    .meta({ description: 'path of a TypeScript or JavaScript module, relative to the config file' }),
  tables: z.array(tablePatternSchema).min(1).optional().meta({ description: 'tables it is for; all when left out' }),
});
export type ScriptOptions = z.infer<typeof scriptSchema>;

/** What a script's `row` gets beside the row: the table the row comes from and the one it goes to. */
export interface ScriptContext {
  readonly source: TableSchema;
  readonly target: TableSchema;
}

/** The functions a script exports: `table` may be left out where the table stays as it is. Both must be pure and synchronous. */
export interface Script {
  table?(table: TableSchema): TableSchema | null;
  /** Values in column order of `context.source` in, of `context.target` out; null filters the row. */
  row(row: Values, context: ScriptContext): Values | null;
}

/**
 * Runs a person's own module over tables and rows. A script gets a copy of each row, so it cannot change what others see. Errors:
 * TRANSFORM_INVALID where the module cannot be loaded or gives no usable table; TRANSFORM_FAILED where `row` throws or gives no row of
 * the table it promised.
 */
export async function script(options: ScriptOptions, baseDir: string, where: string): Promise<Transform> {
  const loaded = await load(options.module, baseDir, where);
  const patterns = scriptPatterns(options);
  return {
    compile(source): CompiledTransform | null {
      if (!patterns.some((pattern) => pattern.table(source))) return unchanged(source);
      const target = loaded.table === null ? source : scriptedTable(loaded.table, source, options.module, where);
      if (target === null) return null;
      return {
        table: target,
        // What a function of somebody else's makes a column of cannot be known.
        columns: target.columns.map(() => null),
        filters: true,
        row: rowFunction(loaded.row, { source, target }, options.module),
      };
    },
  };
}

export function scriptPatterns(options: ScriptOptions): Pattern[] {
  return (options.tables ?? ['*']).map(tablePattern);
}

interface Loaded {
  readonly table: ((table: TableSchema) => unknown) | null;
  readonly row: (row: Values, context: ScriptContext) => unknown;
}

async function load(module: string, baseDir: string, where: string): Promise<Loaded> {
  const path = resolve(baseDir, module);
  const exported = await importModule(path).catch((error: unknown) => {
    throw invalid(
      where,
      `${module} cannot be loaded (${nameOf(error)})`,
      `see that ${path} is there and runs by itself`,
      error,
    );
  });
  const { table = null, row } = exported;
  if ('default' in exported || !isFunction(row) || (table !== null && !isFunction(table))) {
    throw invalid(
      where,
      `${module} does not export what is called`,
      'export function row(row, context), where needed export function table(schema), and no default',
    );
  }
  return { table, row };
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
}

function scriptedTable(
  table: (table: TableSchema) => unknown,
  source: TableSchema,
  module: string,
  where: string,
): TableSchema | null {
  let result: unknown;
  try {
    result = table(source);
  } catch (error) {
    const at = lineOf(error, module);
    throw invalid(
      where,
      `table() of ${module} threw ${nameOf(error)}${at} for ${source.origin}`,
      'mend the script',
      error,
    );
  }
  if (result === null) return null;
  const parsed = parseScriptedTable(result, source);
  if (typeof parsed !== 'string') return parsed;
  throw invalid(
    where,
    `table() of ${module} gave no table for ${source.origin}: ${parsed}`,
    'return the schema with what you change',
  );
}

function rowFunction(row: Loaded['row'], context: ScriptContext, module: string): (row: Values) => Values | null {
  const parse = rowParser(context.target);
  const { origin } = context.source;
  return (input) => {
    let result: unknown;
    try {
      result = row(input.slice(), context);
    } catch (error) {
      throw failed(`row() of ${module} threw ${nameOf(error)}${lineOf(error, module)} for a row of ${origin}`, error);
    }
    if (result === null) return null;
    const parsed = parse(result);
    if (typeof parsed === 'string') throw failed(`row() of ${module} gave no row for ${origin}: ${parsed}`);
    return parsed;
  };
}

/** The script's own message stays out of ours, for it may quote values (G12); the cause has it. */
function failed(message: string, cause?: unknown): LockstepError {
  return new LockstepError('TRANSFORM_FAILED', message, {
    fix: 'mend the script and start again; nothing of this row was applied',
    cause,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** ` at my.ts:12`, from the first frame of the stack that is in the module. */
function lineOf(error: unknown, module: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => /^\s+at /.test(line) && line.includes(basename(module)));
  const line = /:(\d+):\d+\)?$/.exec(frame ?? '')?.[1];
  return line === undefined ? '' : ` at ${basename(module)}:${line}`;
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}
