import type { Config } from './config/load.ts';
import { hostPort } from './config/schema.ts';
import type { Listener } from './http/server.ts';
import type { PipelineRun } from './pipeline.ts';
import type { BuiltInSchemas } from './schemas.ts';

/** Where the built-in schema registry is served when `http.listen` is left out. */
const REGISTRY_ADDRESS = '127.0.0.1:8081';

export interface Served {
  readonly config: Config;
  readonly runs: readonly PipelineRun[];
  readonly schemas: BuiltInSchemas | null;
}

/**
 * Opens the HTTP listener where the configuration asks for one, or where this process publishes with the built-in schema registry, which
 * others need to decode the topics; else gives null. `say` is told the address.
 */
export async function serve(
  { config, runs, schemas }: Served,
  say: (lines: readonly string[]) => void,
): Promise<Listener | null> {
  const needed = schemas !== null && runs.some((run) => run.role === 'publish');
  const address = config.http?.listen ?? (needed ? REGISTRY_ADDRESS : null);
  if (address === null) return null;
  const { listen } = await import('./http/server.ts');
  const listener = await listen({ pipeline: config.name, runs, ...hostPort(address), schemas });
  say([`listening on ${listener.url}   /health /status /metrics${schemas === null ? '' : ' /registry'}`]);
  return listener;
}
