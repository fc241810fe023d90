import { LockstepError } from '../../../core/errors.ts';
import { isReadOnly, readServer, type Server } from './server.ts';
import { Session, type Address } from './session.ts';

/**
 * Looks whether the address leads to another server by now although the connection to the old one holds: after a switchover that one may be left running, and
 * nothing new would ever come from it. Only a primary takes over, from one that is read-only now: of several replicas behind one name any may answer. Errors:
 * SOURCE_CONNECTION_LOST, so that all is connected anew; that nobody answers is not for here.
 */
export async function requireStillLed(
  address: Address,
  { session, server }: { readonly session: Session; readonly server: Server },
  signal: AbortSignal,
): Promise<void> {
  const now = await askAnew(address, signal);
  if (now === null || now.id === server.id || isReadOnly(now)) return;
  if (!isReadOnly(await readServer(session, signal))) return;
  throw new LockstepError(
    'SOURCE_CONNECTION_LOST',
    `${address.where} has come to lead to another server, and the one that was read is read-only`,
  );
}

async function askAnew(address: Address, signal: AbortSignal): Promise<Server | null> {
  try {
    const session = await Session.open(address, signal);
    try {
      return await readServer(session, signal);
    } finally {
      session.destroy();
    }
  } catch (error) {
    if (error instanceof LockstepError) return null;
    throw error;
  }
}
