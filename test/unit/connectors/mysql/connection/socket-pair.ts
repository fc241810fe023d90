import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Wire } from '../../../../../connectors/mysql/connection/wire.ts';

/** A payload as the server sends it: in packets of at most 16 MB less a byte, the last one shorter. */
export function framed(payload: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, more = true; more; at += 0xff_ffff) {
    const part = payload.subarray(at, at + 0xff_ffff);
    const header = Buffer.alloc(4);
    header.writeUIntLE(part.length, 0, 3);
    parts.push(header, Buffer.from(part));
    more = part.length === 0xff_ffff;
  }
  return Buffer.concat(parts);
}

/** Both ends of a local connection; ours has the packet layer on it. */
export interface Ends extends AsyncDisposable {
  readonly server: Socket;
  readonly client: Socket;
  readonly wire: Wire;
}

export async function pair(silenceMs = 10_000): Promise<Ends> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const accepted = Promise.withResolvers<Socket>();
  listener.once('connection', accepted.resolve);
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  await once(client, 'connect');
  const server = await accepted.promise;
  const wire = new Wire(client, { where: 'test', silenceMs, onHeard: () => undefined });
  return {
    server,
    client,
    wire,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
