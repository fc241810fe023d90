import { createRequire } from 'node:module';

/** The part of kafkajs's RequestQueue (`network/requestQueue`) that is mended. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

/** The part of its Connection (`network/connection`). */
interface Connection {
  connect: Connect;
  isConnected(): boolean;
  /** What has arrived of an answer that is not complete. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
}
type Connect = (this: Connection) => Promise<unknown>;

/** The part of its Broker (`broker`). */
interface Broker {
  connect: ConnectBroker;
  readonly connectionPool: { destroy(): Promise<unknown> };
}
type ConnectBroker = (this: Broker) => Promise<unknown>;

const PENDING_CHECK_MS = 10;
/** The length before each answer. */
const LENGTH_BYTES = 4;
let mended = false;

/** Mends four defects of kafkajs 2.2.4 for the whole process, once. */
export function mendKafkajs(): void {
  if (mended) return;
  mended = true;
  const load = createRequire(import.meta.url);
  const queue = load('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
  const connection = load('kafkajs/src/network/connection') as { readonly prototype: Connection };
  const broker = load('kafkajs/src/broker') as { readonly prototype: Broker };
  Object.assign(broker.prototype, { connect: whollyOrNot(broker.prototype.connect) });
  Object.assign(queue.prototype, { scheduleCheckPendingRequests });
  Object.assign(connection.prototype, { connect: oneAtATime(fromTheBeginning(connection.prototype.connect)) });
}

/**
 * kafkajs arms a timer again after every look at its request queue, also when nothing waits: one wake-up per millisecond and connection
 * for ever, with a negative delay that Node 24 warns about. Here it is armed only while requests wait or are throttled.
 */
function scheduleCheckPendingRequests(this: RequestQueue): void {
  const throttledMs = this.throttledUntil - Date.now();
  if (this.throttleCheckTimeoutId !== null || (this.pending.length === 0 && throttledMs <= 0)) return;
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    throttledMs > 0 ? throttledMs : PENDING_CHECK_MS,
  );
}

/** Two requests that meet a closed connection open two sockets, and the answers of both end up in one buffer. Here the second waits for the first. */
function oneAtATime(connect: Connect): Connect {
  const connecting = new WeakMap<Connection, Promise<unknown>>();
  return function connectOnce() {
    let promise = connecting.get(this);
    if (promise === undefined) {
      promise = connect.call(this).finally(() => connecting.delete(this));
      connecting.set(this, promise);
    }
    return promise;
  };
}

/**
 * What had arrived of an answer when a connection broke stays in its buffer, and the answers of the next connection are read behind it: nothing is understood
 * any more, and every request waits in vain. Here a new connection begins with an empty buffer.
 */
function fromTheBeginning(connect: Connect): Connect {
  return function connectAnew() {
    if (!this.isConnected()) Object.assign(this, { chunks: [], bytesBuffered: 0, bytesNeeded: LENGTH_BYTES });
    return connect.call(this);
  };
}

/**
 * A broker that takes a connection and then says nothing counts as connected from then on, and the next request to it fails for a reason that is no
 * error of a network. Here what was not connected wholly is not connected.
 */
function whollyOrNot(connect: ConnectBroker): ConnectBroker {
  return async function connectWholly() {
    try {
      return await connect.call(this);
    } catch (error) {
      // Who only waited for another's attempt leaves that one alone.
      if (!(error instanceof Error && error.name === 'KafkaJSLockTimeout')) await this.connectionPool.destroy();
      throw error;
    }
  };
}
