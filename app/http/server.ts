import fastify from 'fastify';
import { LockstepError } from '../../core/errors.ts';
import type { Progress } from '../../core/progress.ts';
import { healthOf } from '../health.ts';
import { totalOf } from '../outcome.ts';
import { serveRegistry, type OpenableRegistry } from './registry.ts';
import { metricsText, type Measured } from './metrics.ts';

export interface Listener {
  /** `http://host:port` with the port that was given. */
  readonly url: string;
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly pipeline: string;
  readonly runs: readonly Measured[];
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The built-in schema registry to serve under /registry; null where there is none. */
  readonly schemas: OpenableRegistry | null;
}

/**
 * Serves /health (200 or 503), /status (everything the screens know, as JSON), /metrics (Prometheus) and, with a built-in schema
 * registry, /registry. Throws CONFIG_INVALID when the address cannot be had.
 */
export async function listen({ pipeline, runs, host, port, schemas }: ListenOptions): Promise<Listener> {
  const server = fastify({ logger: false, forceCloseConnections: true });
  server.get('/health', async (_, reply) => {
    const targets = mapped(runs, (progress) => healthOf(progress, Date.now()));
    const healthy = Object.values(targets).every((health) => health.healthy);
    return await reply.code(healthy ? 200 : 503).send({ healthy, targets });
  });
  server.get('/status', () => ({ pipeline, targets: mapped(runs, statusOf) }));
  server.get('/metrics', async (_, reply) => {
    return await reply.type('text/plain; version=0.0.4').send(metricsText(pipeline, runs, Date.now()));
  });
  if (schemas !== null) serveRegistry(server, schemas);
  try {
    const url = await server.listen({ host, port });
    return { url, close: async () => await server.close() };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new LockstepError('CONFIG_INVALID', `cannot listen on ${host}:${port} (${code})`, {
      fix: 'set http.listen to an address of this machine and a port that nothing else uses',
      cause: error,
    });
  }
}

/** A run's progress as JSON. */
function statusOf(progress: Progress): object {
  const { phase, server, lagMs, lastAppliedAtMs, lastHeardAtMs, retries, failure, throttle, throttledMs } = progress;
  return {
    phase,
    server,
    lagMs,
    lastAppliedAtMs,
    lastHeardAtMs,
    retries,
    failure,
    throttle,
    throttledMs,
    ...healthOf(progress, Date.now()),
    total: totalOf(progress),
    tables: Object.fromEntries(progress.tables),
  };
}

function mapped<T>(runs: readonly Measured[], value: (progress: Progress) => T): Record<string, T> {
  return Object.fromEntries(runs.map(({ name, progress }) => [name, value(progress)]));
}
