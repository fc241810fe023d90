import { builtInRegistry } from '../registry/builtin.ts';
import type { Registry } from '../registry/registry.ts';
import { remoteRegistry } from '../registry/remote.ts';
import { kafkaRegistryStore, type RegistryStoreOptions } from './registry-store.ts';

/** A registry with the way to let go of it. */
export interface OpenedRegistry {
  readonly registry: Registry;
  /** Does nothing for a registry that somebody else opened. */
  close(): Promise<void>;
}

/** The schema registry that is chosen: one that is open already, one by URL, or (null) the built-in one of the pipeline. */
export async function openRegistry(
  choice: Registry | string | null,
  options: RegistryStoreOptions,
  signal: AbortSignal,
): Promise<OpenedRegistry> {
  if (choice !== null && typeof choice !== 'string') return { registry: choice, close: () => Promise.resolve() };
  const registry =
    choice === null ? await builtInRegistry(kafkaRegistryStore(options), signal) : remoteRegistry(choice);
  return { registry, close: () => registry.close() };
}
