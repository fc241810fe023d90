import { createRequire } from 'node:module';

/** The part of kafkajs's RequestQueue (`network/requestQueue`) that is mended. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

const PENDING_CHECK_MS = 10;

/**
 * kafkajs 2.2.4 arms a timer again after every look at its request queue, also when nothing waits: one wake-up per millisecond and
 * connection for ever, with a negative delay that Node 24 warns about. Here it is armed only while requests wait or are throttled.
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

/** Mends kafkajs for the whole process. */
export function mendKafkajs(): void {
  const load = createRequire(import.meta.url);
  const queue = load('kafkajs/src/network/requestQueue') as { readonly prototype: object };
  Object.assign(queue.prototype, { scheduleCheckPendingRequests });
}
