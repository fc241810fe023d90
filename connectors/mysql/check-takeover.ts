import { toLockstepError } from '../../core/errors.ts';
import type { Check, SourceOptions } from '../../core/plugin.ts';
import { locate } from './binlog/locate.ts';
import { describeServer, readRole } from './connection/role.ts';
import { readServer } from './connection/server.ts';
import { parseAddress, Session } from './connection/session.ts';
import type { Heir } from './position/history.ts';
import { parsePosition } from './position/position.ts';
import { requireShown, takeOver } from './position/takeover.ts';
import { shownElsewhere } from './snapshot/ranges.ts';
import { streamEntry } from './tables.ts';

/** Which server answers now, and whether it can go on from what a target holds. Errors: the SOURCE_ codes of connecting. */
export async function checkTakeover(
  options: SourceOptions,
  entries: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const address = parseAddress(options.url);
  const session = await Session.open(address, signal);
  try {
    const server = await readServer(session, signal);
    const role = await readRole(session, server, signal);
    const identity = `${options.pipeline}/${options.target}/check`;
    const dump = { address, server, identity, onHeard: () => undefined };
    const heir: Heir = { session, server, role, locate: (gtid, executed) => locate(gtid, executed, dump, signal) };
    const answers: Check = { name: 'server', outcome: 'pass', detail: describeServer(server, role), fix: null };
    const stored = entries.get(streamEntry);
    return stored === undefined ? [answers] : [answers, await historyCheck(stored, entries, heir, signal)];
  } finally {
    session.destroy();
  }
}

async function historyCheck(
  stored: string,
  entries: ReadonlyMap<string, string>,
  heir: Heir,
  signal: AbortSignal,
): Promise<Check> {
  try {
    const { history } = await takeOver(parsePosition(stored), heir, signal);
    requireShown(shownElsewhere(entries, heir.server.id), history, heir);
    return { name: 'history', outcome: 'pass', detail: 'goes on from what the target holds', fix: null };
  } catch (error) {
    const { code, message, fix, verdict } = toLockstepError(error);
    if (verdict === 'bug') throw error;
    const outcome = verdict === 'retry' ? 'warn' : 'fail';
    return { name: 'history', outcome, detail: `${code}  ${message}`, fix: fix === '' ? null : fix };
  }
}
