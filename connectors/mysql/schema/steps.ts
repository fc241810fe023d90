import { LockstepError } from '../../../core/errors.ts';
import type { SchemaChangeKind, SchemaPolicies } from '../../../core/schema-policy.ts';
import { tableSchema, type Column, type TableSchema } from '../../../core/table.ts';
import type { Evolved } from './evolve.ts';

/** One schema change as targets get it. `before` is null where the target's table is to be adjusted but nothing in it may go. */
export interface Step {
  readonly before: TableSchema | null;
  readonly after: TableSchema;
}

/** Refuses a change whose kind the policies stop. Errors: SOURCE_SCHEMA_CHANGE. */
export function requireAllowed(
  kind: SchemaChangeKind,
  policies: SchemaPolicies,
  origin: string,
  statement: string,
): 'evolve' | 'ignore' {
  const policy = policies[kind] ?? 'evolve';
  if (policy !== 'stop') return policy;
  throw new LockstepError(
    'SOURCE_SCHEMA_CHANGE',
    `${origin}: source.schemaChanges stops at ${kind}: ${statement.slice(0, 200)}`,
    {
      fix: `see that the targets are ready for it, then set source.schemaChanges.${kind} to evolve and start again`,
    },
  );
}

/**
 * An altered table as changes of which each shows by itself what happened: columns that go, then each new name alone, then all the rest.
 * So a column that has another name is never mistaken for one that went and one that came, whatever transforms make of the names.
 */
export function stepsOf(before: TableSchema, evolved: Evolved, policies: SchemaPolicies, statement: string): Step[] {
  const { table, dropped, renamed } = evolved;
  const policyOf = (kind: SchemaChangeKind): 'evolve' | 'ignore' =>
    requireAllowed(kind, policies, before.origin, statement);
  const steps: Step[] = [];
  let current = before;
  if (dropped.size > 0) {
    const kept = before.columns.filter(({ name }) => !dropped.has(name));
    const after = withColumns(before, kept);
    const inKey = after.key.length < before.key.length;
    // A key column cannot stay in the target: what is inserted from now on has no value for it.
    const ignored = policyOf('drop-column') === 'ignore' && !inKey;
    steps.push({ before: ignored ? null : current, after });
    current = after;
  }
  for (const [from, to] of inOrder(renamed)) {
    if (policyOf('rename-column') === 'ignore') continue;
    const after = tableSchema({
      ...current,
      columns: current.columns.map((c) => (c.name === from ? { ...c, name: to } : c)),
    });
    steps.push({ before: current, after });
    current = after;
  }
  const old = new Map(current.columns.map((column) => [column.name, column]));
  if (table.columns.some(({ name }) => !old.has(name))) policyOf('add-column');
  if (keyOf(table) !== keyOf(current)) policyOf('change-key');
  const changed = table.columns.some((column) => isChanged(old.get(column.name), column));
  const ignored = changed && policyOf('change-column') === 'ignore';
  const after = ignored
    ? withColumns(
        table,
        table.columns.map((column) => old.get(column.name) ?? column),
      )
    : table;
  if (after.fingerprint !== current.fingerprint) steps.push({ before: current, after });
  return steps;
}

/** Each rename to a name that is free by then; names that go round in a circle take a detour. */
function inOrder(renamed: ReadonlyMap<string, string>): [string, string][] {
  const waiting = new Map(renamed);
  const order: [string, string][] = [];
  while (waiting.size > 0) {
    const free = [...waiting].find(([, to]) => !waiting.has(to));
    if (free !== undefined) {
      order.push(free);
      waiting.delete(free[0]);
      continue;
    }
    const [from, to] = [...waiting][0] ?? ['', ''];
    const detour = `${from}__renamed`;
    order.push([from, detour]);
    waiting.delete(from);
    waiting.set(detour, to);
  }
  return order;
}

function isChanged(was: Column | undefined, is: Column): boolean {
  return was !== undefined && was !== is && JSON.stringify(shapeOf(was)) !== JSON.stringify(shapeOf(is));
}

/** What of a column matters to a target; how its type is spelled does not. */
export function shapeOf({ name, type, nullable, charset, generated, default: value, autoIncrement }: Column): unknown {
  const { kind, ...size } = type;
  const sizes = Object.entries(size).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [name, kind, sizes, nullable, charset, generated, value, autoIncrement];
}

export function keyOf({ key, columns }: TableSchema): string {
  return JSON.stringify(key.map((index) => columns[index]?.name));
}

/** The table with only these columns, and of its key what is left. */
export function withColumns(table: TableSchema, columns: readonly Column[]): TableSchema {
  const names = table.key.map((index) => table.columns[index]?.name);
  const key = names.map((name) => columns.findIndex((column) => column.name === name)).filter((index) => index >= 0);
  return tableSchema({ ...table, columns, key });
}

/** The same table under another name. */
export function renamedTable(table: TableSchema, database: string, name: string): TableSchema {
  return tableSchema({ ...table, database, name, origin: `${database}.${name}` });
}
