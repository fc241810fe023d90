import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';

const MOST_PROCESSES = 256;
const HOST_CHARACTERS = 200;

/** A name for this process among those of its group that its successor on the same machine will have too, however this one ends. */
export interface Instance {
  readonly id: string;
  release(): void;
}

/**
 * The machine's name and the lowest number that no living process here has for the same group. It is held by listening on an abstract socket,
 * which the kernel lets go with the process. Null where there are no such sockets (Linux has them): then nobody follows in its place.
 */
export async function takeInstance(brokers: readonly string[], group: string): Promise<Instance | null> {
  if (process.platform !== 'linux') return null;
  const of = createHash('sha256')
    .update(JSON.stringify([[...brokers].sort(), group]))
    .digest('hex');
  for (let n = 0; n < MOST_PROCESSES; n++) {
    const server = await listen(`\0lockstep/group/${of}/${n}`);
    if (server === null) continue;
    const host = hostname()
      .replaceAll(/[^\w.-]/g, '_')
      .slice(0, HOST_CHARACTERS);
    return { id: `${host}-${n}`, release: () => void server.close() };
  }
  return null;
}

/** Null where another one listens there. */
function listen(path: string): Promise<Server | null> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen({ path }, () => resolve(server));
  });
}
