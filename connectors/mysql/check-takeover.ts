import { toLockstepError } from '../../core/errors.ts';
import type { Check, SourceOptions } from '../../core/plugin.ts';
import { describeServer, readRole } from './connection/role.ts';
import { readServer } from './connection/server.ts';
import { parseAddress, Session } from './connection/session.ts';
import { goOnHere } from './start.ts';

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
    // With the name of the pipeline itself it would end the dump of one that runs.
    const dump = { address, identity: `${options.pipeline}/${options.target}/check`, onHeard: () => undefined };
    return [
      { name: 'server', outcome: 'pass', detail: describeServer(server, role), fix: null },
      ...(await historyChecks(async () => await goOnHere(entries, { session, server, role }, dump, signal))),
    ];
  } finally {
    session.destroy();
  }
}

async function historyChecks(goOn: () => Promise<object | null>): Promise<Check[]> {
  try {
    if ((await goOn()) === null) return [];
    return [{ name: 'history', outcome: 'pass', detail: 'goes on from what the target holds', fix: null }];
  } catch (error) {
    const { code, message, fix, verdict } = toLockstepError(error);
    if (verdict === 'bug') throw error;
    const outcome = verdict === 'retry' ? 'warn' : 'fail';
    return [{ name: 'history', outcome, detail: `${code}  ${message}`, fix: fix === '' ? null : fix }];
  }
}
