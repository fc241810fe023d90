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

const PENDING_CHECK_MS = 10;
/** The length before each answer. */
const LENGTH_BYTES = 4;
let mended = false;

/** Mends three defects of kafkajs 2.2.4 for the whole process, once. */
export function mendKafkajs(): void {
  if (mended) return;
  mended = true;
  const load = createRequire(import.meta.url);
  const queue = load('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
  const connection = load('kafkajs/src/network/connection') as { readonly prototype: Connection };
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
