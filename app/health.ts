import type { Progress } from '../core/progress.ts';

/** How long a source may be silent: three times the period in which it sends a heartbeat. */
const SILENT_AFTER_MS = 30_000;

/** How long the target may take for a batch. What takes it longer may be well, but nothing shows that it is. */
const BUSY_AFTER_MS = 30_000;

export interface Health {
  readonly healthy: boolean;
  /** Why not, in a few words; null when healthy. */
  readonly reason: string | null;
}

/** Healthy is what there is evidence for (G11): the target has answered and the source was heard of within 30 s, and nothing has failed since. */
export function healthOf(progress: Progress, nowMs: number): Health {
  const reason = faultOf(progress, nowMs);
  return { healthy: reason === null, reason };
}

function faultOf(progress: Progress, nowMs: number): string | null {
  const { failure, phase, lastHeardAtMs, applyingSinceMs } = progress;
  if (failure !== null) return failure.code;
  if (phase === 'starting' || phase === 'stopped') return phase;
  const busyMs = Math.max(0, ...applyingSinceMs.values().map((sinceMs) => nowMs - sinceMs));
  if (busyMs > BUSY_AFTER_MS) return `the target has not answered for ${Math.round(busyMs / 1000)} s`;
  if (lastHeardAtMs === null) return 'nothing heard of the source yet';
  const silentMs = nowMs - lastHeardAtMs;
  return silentMs > SILENT_AFTER_MS ? `nothing heard of the source for ${Math.round(silentMs / 1000)} s` : null;
}
