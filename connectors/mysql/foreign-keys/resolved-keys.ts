import type { ForeignKey } from '../../../core/foreign-key.ts';
import type { TableSchema } from '../../../core/table.ts';
import { logsForeignKeys, type Server } from '../connection/server.ts';
import type { Asker } from '../connection/session.ts';
import { readDeclaredKeys } from './declared-keys.ts';
import { resolveKeys } from './foreign-keys.ts';
import { readForeignKeyWarnings } from './warnings.ts';

/** The foreign keys that change rows of these tables now, and, where the log has none of that, what cannot be followed. */
export async function readResolvedKeys(
  session: Asker,
  server: Server,
  tables: readonly TableSchema[],
  signal: AbortSignal,
): Promise<{ readonly keys: readonly ForeignKey[]; readonly warnings: readonly string[] }> {
  const declared = await readDeclaredKeys(session, server, null, signal);
  const captured = new Map(tables.map((table) => [table.origin, table]));
  const keys = resolveKeys(declared, (origin) => captured.get(origin));
  const warnings = logsForeignKeys(server) ? [] : await readForeignKeyWarnings(session, declared, tables, signal);
  return { keys, warnings };
}
