import type { Piece } from '../binlog/reader.ts';
import { originOf, type NamedTable } from '../schema/ddl.ts';
import type { TableNow } from '../schema/table-behind.ts';
import { readCatalog } from './catalog.ts';
import { readDeclaredKeys, type DeclaredKey } from '../foreign-keys/declared-keys.ts';
import { askValue, type Asker } from '../connection/session.ts';
import type { Server } from '../connection/server.ts';
import type { Position } from '../position/position.ts';

/** Schemas as the server has them now, once everything up to the transaction, if one is named, can be seen there. */
export interface CatalogNow {
  read(named: readonly NamedTable[], upTo: Piece | null): Promise<ReadonlyMap<string, TableNow>>;
  charset(database: string): Promise<string | null>;
  /** Those of the named tables. */
  foreignKeys(named: readonly NamedTable[]): Promise<readonly DeclaredKey[]>;
}

/** How long a server may take to show its readers what it has sent to its replicas. */
const visibleWithinSeconds = 10;

/**
 * Resolves once the server shows its readers all that stands before a position: MySQL sends a transaction to its replicas before. Without GTIDs nobody can tell, and
 * MariaDB's catalog waits for whoever alters a table.
 */
export async function showsAll(session: Asker, position: Position | null, signal: AbortSignal): Promise<void> {
  if (position?.by !== 'gtid') return;
  const asked = [position.set.toString(), visibleWithinSeconds];
  await askValue(session, 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?)', signal, asked);
}

/** The catalog as it is now, for the stream. */
export function catalogNow(session: Asker, server: Server, signal: AbortSignal): CatalogNow {
  return {
    async read(named, upTo) {
      // MySQL sends a transaction to its replicas before its own readers see it; MariaDB's catalog waits for whoever alters a table.
      const gtid = upTo?.id.gtid ?? null;
      if (server.addressing === 'gtid' && gtid !== null)
        await askValue(session, 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?)', signal, [gtid, visibleWithinSeconds]);
      const wanted = new Set(named.map(originOf));
      const found = await readCatalog(
        session,
        server,
        (database, table) => wanted.has(originOf({ database, table })),
        signal,
      );
      return new Map(found.map((table) => [table.schema.origin, table]));
    },
    foreignKeys: (named) => readDeclaredKeys(session, server, named, signal),
    async charset(database) {
      const asked =
        'SELECT default_character_set_name AS charset FROM information_schema.schemata WHERE schema_name = ?';
      return await askValue(session, asked, signal, [database]);
    },
  };
}
