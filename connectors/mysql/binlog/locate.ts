import { LockstepError } from '../../../core/errors.ts';
import { GtidSet } from '../position/gtid-set.ts';
import { atBeginning, type Place } from '../position/position.ts';
import { startDump, type DumpOptions } from './dump.ts';
import { BinlogReader } from './reader.ts';

const takeBytes = 1024 * 1024;

/**
 * Where a transaction that a MySQL server executed ends in its log; null where it is purged. The server is told that we have all it executed but
 * this one, so it skips the others on its side. Errors: the SOURCE_ codes of connecting and of the log.
 */
export async function locate(
  gtid: string,
  executed: GtidSet,
  options: Pick<DumpOptions, 'address' | 'server' | 'identity' | 'onHeard'>,
  signal: AbortSignal,
): Promise<Place | null> {
  const start = atBeginning(options.server.id);
  const from = { by: 'gtid', set: executed.without(GtidSet.parse(gtid)), place: start } as const;
  const wire = await startDump(options, from, 'to-its-end', signal);
  const { where } = options.address;
  const nothing = { again: null, lookup: () => null, captured: () => [], partBytes: takeBytes };
  const reader = new BinlogReader({ wire, where, start, ...nothing });
  try {
    for (;;) {
      for (const { id, end } of reader.take(takeBytes)) if (id.gtid === gtid && end !== null) return end;
      await reader.arrived(signal);
    }
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'SOURCE_HISTORY_LOST') return null;
    throw error;
  } finally {
    reader.close();
    wire.destroy();
  }
}
