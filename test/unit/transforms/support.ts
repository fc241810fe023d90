import { fileURLToPath } from 'node:url';
import { LockstepError } from '../../../core/errors.ts';
import type { Values, Transform } from '../../../core/contracts.ts';
import type { TableSchema } from '../../../core/table.ts';
import { openTransforms, transformSchema } from '../../../transforms/registry.ts';

/** The transforms of a config list, parsed as the config would be; scripts are found in `scripts/` beside this file. */
export function opened(...items: readonly unknown[]): Promise<Transform[]> {
  return openTransforms(
    items.map((item) => transformSchema.parse(item)),
    { baseDir: fileURLToPath(new URL('./scripts', import.meta.url)) },
  );
}

interface Compiled {
  readonly table: TableSchema;
  readonly row: (row: Values) => Values | null;
}

/** The only transform of a list, compiled for a table that it must not leave out. */
export async function compiled(item: unknown, table: TableSchema): Promise<Compiled> {
  const [transform] = await opened(item);
  const result = transform?.compile(table) ?? null;
  if (result === null) throw new Error('the table was left out');
  return { table: result.table, row: (row) => result.row(row) };
}

export async function refusal(work: () => unknown): Promise<LockstepError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
