import { readLogEnd, readShown, type Server } from '../connection/server.ts';
import type { TextConnection } from '../connection/text-connection.ts';
import { formatPlain } from '../position/position.ts';
import type { Range } from './ranges.ts';

/** What a chunk that has been read may show at most. */
export type MostShown = Pick<Range, 'shown'> & { readonly high: NonNullable<Range['high']> };

/** To be read behind the rows of a chunk, or before a statement that reads a table at one moment. */
export async function readMostShown(
  connection: TextConnection,
  server: Server,
  signal: AbortSignal,
): Promise<MostShown> {
  const high = await readLogEnd(connection, server, signal);
  const shown = await readShown(connection, server, signal);
  return shown === null ? { high } : { high, shown: formatPlain(shown) };
}
