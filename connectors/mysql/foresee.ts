import type { Moment } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { Foreseen, SourceOptions, WholeTableChange } from '../../core/plugin.ts';
import { readCatalog } from './catalog/catalog.ts';
import { parseAddress, Session } from './connection/session.ts';
import { classify, originOf, renamesIn } from './schema/ddl.ts';
import { compilePatterns } from './catalog/patterns.ts';
import { readCollations } from './schema/collations.ts';
import { renamedTable } from './schema/steps.ts';
import { SchemaChanges, type Effect } from './schema/schema-changes.ts';
import type { CatalogAtPlace } from './schema/table-behind.ts';
import { readServer } from './connection/server.ts';
import { Tables } from './tables.ts';

/**
 * What a statement would come to if it were run at the source now: the same way as the stream would go, and without running it. Errors: those
 * that would stop the pipeline, and of connecting.
 */
export async function foresee(options: SourceOptions, statement: string, signal: AbortSignal): Promise<Foreseen> {
  const session = await Session.open(parseAddress(options.url), signal);
  try {
    const server = await readServer(session, signal);
    const captures = compilePatterns(options.tables);
    const all = await readCatalog(session, server, () => true, signal);
    const tables = new Tables(captures, {
      flavour: server.flavour,
      collations: await readCollations(session, server, signal),
    });
    for (const { schema, standIn } of all)
      if (captures(schema.database, schema.name)) tables.set(schema.origin, schema, standIn);
    const databases = new Set([...tables.all()].map(({ database }) => database));
    const database = databases.size === 1 ? ([...databases][0] ?? '') : '';
    const changes = new SchemaChanges({
      flavour: server.flavour,
      known: tables,
      policies: options.schemaChanges ?? {},
      movesTables: options.movesTables ?? true,
      changesKeys: options.changesKeys ?? true,
      catalog: catalogBefore(all, statement, database),
    });
    requireKnownKind(statement, database);
    return foreseenOf(await changes.effects({ database, statement }), statement);
  } finally {
    session.destroy();
  }
}

/** The catalog is that of before the statement: a table is what the one is that gets its name. */
function catalogBefore(
  all: Awaited<ReturnType<typeof readCatalog>>,
  statement: string,
  database: string,
): CatalogAtPlace {
  const classified = classify(statement, database);
  const names = classified.kind === 'rename' ? classified.tables : [];
  const from = new Map<string, string>();
  for (const rename of renamesIn(names)) from.set(originOf(rename.to), originOf(rename.from));
  return {
    read: (named) => {
      const found = named.flatMap((one) => {
        const origin = originOf(one);
        const there =
          from.size === 0 ? undefined : all.find(({ schema }) => schema.origin === (from.get(origin) ?? origin));
        if (there === undefined) return [];
        return [[origin, { ...there, schema: renamedTable(there.schema, one.database, one.table) }] as const];
      });
      return Promise.resolve({ tables: new Map(found), atPlace: false });
    },
    charset: () => Promise.resolve(null),
  };
}

function requireKnownKind(statement: string, database: string): void {
  const { kind } = classify(statement, database);
  if (kind !== 'unknown') return;
  throw new LockstepError(
    'SOURCE_EVENT_UNSUPPORTED',
    `a statement that is not understood: ${statement.slice(0, 200)}`,
    {
      fix: 'see whether the server takes it; if it does, report the statement',
    },
  );
}

const nowhere: Moment = { committedAtMs: Date.now(), gtid: null, file: '', offset: 0, serverId: 0 };

function foreseenOf(effects: readonly Effect[], statement: string): Foreseen {
  const changes: WholeTableChange[] = [];
  const notes: string[] = [];
  for (const effect of effects) {
    const { more, note } = foreseenEffect(effect, statement);
    changes.push(...more);
    if (note !== null) notes.push(note);
  }
  if (effects.length === 0) notes.push('nothing: it changes no table that is captured, or only what is ignored');
  return { changes, notes };
}

function foreseenEffect(effect: Effect, statement: string): { more: WholeTableChange[]; note: string | null } {
  const at = { ...nowhere, committedAtMs: Date.now() };
  const schema = { kind: 'schema', statement, at } as const;
  switch (effect.kind) {
    case 'reshape': {
      const kept = effect.steps.some(({ before }) => before === null);
      const note =
        effect.steps.length === 0
          ? `${effect.after.origin}: ignored`
          : kept
            ? `${effect.after.origin}: dropped columns stay in the target`
            : null;
      return { more: effect.steps.map((step) => ({ ...schema, ...step })), note };
    }
    case 'create':
      return { more: [{ ...schema, before: null, after: effect.after }], note: null };
    case 'drop':
      if (effect.ignored)
        return { more: [], note: `${effect.before.origin} stays in the target and is not followed any more` };
      return { more: [{ ...schema, before: effect.before, after: null }], note: null };
    case 'truncate':
      return { more: [{ kind: 'truncate', table: effect.table, at }], note: null };
    case 'move':
      return { more: [{ ...schema, before: effect.before, after: effect.after }], note: null };
    case 'copy': {
      const { before, after } = effect;
      const emptied: WholeTableChange[] = before === null ? [] : [{ kind: 'truncate', table: before, at }];
      const note = `${after.origin} is copied${before === null ? '' : ' again'}: the log does not show what its rows hold then`;
      return { more: [...emptied, { ...schema, before, after }], note };
    }
    case 'leave-out':
      return { more: [], note: `${effect.origin} is not followed` };
    default:
      return unreachable(effect);
  }
}
