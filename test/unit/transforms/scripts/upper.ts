import type { Values } from '../../../../core/contracts.ts';
import type { TableSchema } from '../../../../core/table.ts';
import type { ScriptContext } from '../../../../transforms/script.ts';

export function table(schema: TableSchema): TableSchema | null {
  if (schema.name === 'hidden') return null;
  const [id] = schema.columns;
  if (id === undefined) return null;
  const loud = { ...id, name: 'loud', type: { kind: 'text' } as const, declared: 'text', nullable: true };
  return { ...schema, columns: [...schema.columns, loud] };
}

export function row(row: Values, { source }: ScriptContext): Values | null {
  const status = row[source.columns.findIndex((column) => column.name === 'status')];
  if (status === 'draft') return null;
  return [...row, typeof status === 'string' ? status.toUpperCase() : null];
}
