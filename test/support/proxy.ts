import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bell } from '../../core/signals.ts';

/** A TCP proxy before a server that can do what networks do: cut, fall silent, be slow, lose an answer, change bytes. */
export class Proxy implements AsyncDisposable {
  /** The server's URL, or `host:port`, with the proxy's port. */
  readonly url: string;
  readonly #listener: Server;
  readonly #lines = new Set<Line>();
  readonly #weather: Weather = {
    silent: false,
    bytesPerSecond: Infinity,
    delayMs: 0,
    flip: null,
    cutWithin: null,
    lose: null,
    await: null,
    held: null,
  };
  #server: { readonly host: string; readonly port: number };

  private constructor(listener: Server, port: number, url: string) {
    this.#listener = listener;
    this.url = url.replace(/:\d+(?=$|\/)/, `:${port}`);
    this.#server = addressOf(url);
  }

  /** Before the server of `url`, which may also be `host:port`. */
  static async open(url: string): Promise<Proxy> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const proxy = new Proxy(listener, port, url);
    listener.on('connection', (client) => void proxy.#forward(client));
    return proxy;
  }

  /** The server that connections go to from now on: for one that must know the proxy's port before it is started. */
  leadTo(url: string): void {
    this.#server = addressOf(url);
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const { client, server } of this.#lines) for (const socket of [client, server]) socket.resetAndDestroy();
  }

  /** From now on nothing goes through, and nobody is told. */
  fallSilent(): void {
    this.#weather.silent = true;
    for (const line of this.#lines) line.silent = true;
  }

  /** New connections go through again; those that fell silent stay so. */
  speak(): void {
    this.#weather.silent = false;
  }

  /** Lets through so much in each direction of each connection, every piece `delayMs` late. */
  slow(bytesPerSecond: number, delayMs = 0): void {
    Object.assign(this.#weather, { bytesPerSecond, delayMs });
  }

  /** Changes one byte of these the next time that the server sends them. */
  flip(bytes: Buffer): void {
    this.#weather.flip = bytes;
  }

  /** Cuts a connection once it has carried so many more bytes to its client, in the middle of whatever these are. */
  cutWithin(bytes: number): void {
    this.#weather.cutWithin = bytes;
  }

  /**
   * The next time that a client sends what `asked` knows, the server gets it, and its answer is lost with the connection. Resolves when that
   * has happened; from then on everything is held until `release`.
   */
  async loseAnswer(asked: (bytes: Buffer) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#weather.lose = { asked, lost: resolve };
    });
  }

  /** From now on nothing goes through until `release`; nothing is lost, and nobody is told. */
  hold(): void {
    this.#weather.held = new Bell();
  }

  /** The next time that a client sends what `asked` knows, that and all that comes after it is held until `release`. Resolves when it has come. */
  async holdBefore(asked: (bytes: Buffer) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#weather.await = { asked, come: resolve };
    });
  }

  /** Lets go on what is held. */
  release(): void {
    const { held } = this.#weather;
    this.#weather.held = null;
    held?.notify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.release();
    this.cut();
    await once(this.#listener, 'close');
  }

  async #forward(client: Socket): Promise<void> {
    const server = connect(this.#server.port, this.#server.host);
    const line: Line = { client, server, silent: this.#weather.silent, lost: null };
    this.#lines.add(line);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    // Whichever of the two ends first, however it does, ends the other.
    const pumps = [pump(line, 'server', this.#weather), pump(line, 'client', this.#weather)];
    await Promise.race(pumps).catch(() => undefined);
    this.#lines.delete(line);
    for (const socket of [client, server]) socket.destroySoon();
    await Promise.allSettled(pumps);
  }
}

interface Weather {
  silent: boolean;
  bytesPerSecond: number;
  delayMs: number;
  flip: Buffer | null;
  cutWithin: number | null;
  lose: { readonly asked: (bytes: Buffer) => boolean; readonly lost: () => void } | null;
  await: { readonly asked: (bytes: Buffer) => boolean; readonly come: () => void } | null;
  held: Bell | null;
}

/** One connection; `lost` is set while its next answer is to be lost. */
interface Line {
  readonly client: Socket;
  readonly server: Socket;
  silent: boolean;
  lost: (() => void) | null;
}

/** Carries what comes for one side, no faster than that side takes it. */
async function pump(line: Line, to: 'client' | 'server', weather: Weather): Promise<void> {
  const [from, into] = to === 'server' ? [line.client, line.server] : [line.server, line.client];
  for await (const piece of from) {
    const bytes = piece as Buffer;
    if (line.silent) continue;
    if (to === 'client' && line.lost !== null) {
      weather.held = new Bell();
      line.lost();
      return;
    }
    if (to === 'server' && weather.await?.asked(bytes) === true) {
      weather.held = new Bell();
      weather.await.come();
      weather.await = null;
    }
    while (weather.held !== null) await weather.held.wait(never);
    if (to === 'server') listenFor(line, bytes, weather);
    else if (weather.cutWithin !== null) {
      weather.cutWithin -= bytes.length;
      if (weather.cutWithin <= 0) {
        into.write(bytes.subarray(0, bytes.length + weather.cutWithin));
        weather.cutWithin = null;
        return;
      }
    }
    const waitMs = weather.delayMs + (1000 * bytes.length) / weather.bytesPerSecond;
    if (waitMs > 0) await sleep(waitMs);
    if (!into.write(to === 'client' ? changed(bytes, weather) : bytes)) await once(into, 'drain');
  }
}

const never = new AbortController().signal;

function listenFor(line: Line, bytes: Buffer, weather: Weather): void {
  if (weather.lose?.asked(bytes) !== true) return;
  line.lost = weather.lose.lost;
  weather.lose = null;
}

function changed(bytes: Buffer, weather: Weather): Buffer {
  const at = weather.flip === null ? -1 : bytes.indexOf(weather.flip);
  if (at < 0) return bytes;
  weather.flip = null;
  const copy = Buffer.from(bytes);
  copy.writeUInt8((copy[at] ?? 0) ^ 1, at);
  return copy;
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url.includes('://') ? url : `tcp://${url}`);
  return { host: hostname, port: Number(port) };
}
