import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DatabaseError } from 'pg';
import { untilAborted } from '../../core/signals.ts';
import { createClient, serverOf, type SessionOptions } from './client.ts';

/** How long nothing may move on a connection that waits for an answer before the server is asked about it. */
const SILENT_MS = 8_000;
/** How long it may take to answer that. */
const ANSWER_MS = 8_000;

/**
 * Watches a connection while it waits for an answer. A network can lose a connection without a word to either end, and a server can take hours
 * for an honest answer: where nothing has moved for 8 to 16 s the server is asked, over a connection of its own, whether `process` works. Where
 * it does not, or nobody answers, the connection is ended (ETIMEDOUT), and so is the process with its locks (G11).
 * Gives what ends the watch.
 */
export function watchSilence(socket: Duplex, options: SessionOptions, process: string | null): () => void {
  let moved = bytesMoved(socket);
  let [asking, ended] = [false, false];
  const isSilent = (): boolean => {
    const before = moved;
    moved = bytesMoved(socket);
    return !ended && moved === before;
  };
  const look = async (): Promise<void> => {
    if (asking || !isSilent()) return;
    asking = true;
    const dead = await isDead(options, process, isSilent);
    asking = false;
    if (dead && isSilent()) socket.destroy(Object.assign(new Error('nothing is heard'), { code: 'ETIMEDOUT' }));
  };
  const timer = setInterval(() => void look(), SILENT_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

/** Up to what the system has taken over to send; of what is no socket nobody knows, and it is never the same. */
function bytesMoved(socket: Duplex): number {
  if (!(socket instanceof Socket)) return Number.NaN;
  return socket.bytesRead + socket.bytesWritten - socket.writableLength;
}

/** The server sees a process that works, or one that waits for us while we wait for it; or it is not to be reached at all. */
async function isDead(options: SessionOptions, process: string | null, isSilent: () => boolean): Promise<boolean> {
  const client = createClient(options, serverOf(options.url));
  client.on('error', () => undefined);
  const within = AbortSignal.timeout(ANSWER_MS);
  try {
    await untilAborted(within, client.connect());
    if (process === null) return false;
    const { rows } = await untilAborted(within, client.query<{ works: boolean }>(worksNow(process)));
    // What was on its way while the server was asked has arrived by now.
    if (rows[0]?.works === true || !isSilent()) return false;
    await untilAborted(within, client.query(`SELECT pg_terminate_backend(${process})`));
    return true;
  } catch (error) {
    // Who refuses a login answers.
    return !(error instanceof DatabaseError);
  } finally {
    client.connection.stream.destroy();
  }
}

function worksNow(process: string): string {
  return `SELECT state = 'disabled' OR (state = 'active' AND wait_event_type IS DISTINCT FROM 'Client') AS works
    FROM pg_stat_activity WHERE pid = ${process}`;
}
