import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy before a server that can do what networks do: cut, fall silent, hold, change bytes. */
export class Proxy implements AsyncDisposable {
  /** The server's URL with the proxy's port. */
  readonly url: string;
  readonly #listener: Server;
  #server: URL;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #silent = false;
  #held = false;
  #flip: Buffer | null = null;

  private constructor(listener: Server, url: string, server: URL) {
    this.#listener = listener;
    this.url = url;
    this.#server = server;
  }

  static async open(url: string): Promise<Proxy> {
    const server = new URL(url);
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    const behind = new URL(url);
    behind.port = String(typeof address === 'object' && address !== null ? address.port : 0);
    const proxy = new Proxy(listener, behind.href, server);
    listener.on('connection', (client) => proxy.#forward(client));
    return proxy;
  }

  /** Connections that are opened from now on go to another server; those that are open stay where they are. */
  leadTo(url: string): void {
    this.#server = new URL(url);
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** From now on nothing goes through, and nobody is told. */
  fallSilent(): void {
    this.#silent = true;
  }

  /** From now on nothing goes through until it may go on; nothing is lost, and nobody is told. */
  hold(): void {
    this.#held = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  goOn(): void {
    this.#held = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Changes one byte of these the next time that the server sends them. */
  flip(bytes: Buffer): void {
    this.#flip = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await once(this.#listener, 'close');
  }

  #forward(client: Socket): void {
    const server = connect(Number(this.#server.port), this.#server.hostname);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) {
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (bytes) => this.#silent || server.write(bytes));
    server.on('data', (bytes) => this.#silent || client.write(this.#changed(bytes)));
    if (this.#held) for (const socket of pair) socket.pause();
  }

  #changed(bytes: Buffer): Buffer {
    const at = this.#flip === null ? -1 : bytes.indexOf(this.#flip);
    if (at < 0) return bytes;
    this.#flip = null;
    const changed = Buffer.from(bytes);
    changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
    return changed;
  }
}
