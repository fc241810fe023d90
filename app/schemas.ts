import type { BuiltInRegistry } from '../codec/registry/builtin.ts';
import type { Config } from './config/load.ts';
import { brokersOf } from './registry.ts';

/** The built-in schema registry of a process: opened when first asked for, shared by the runs and the HTTP listener until closed. */
export class BuiltInSchemas {
  readonly #config: Config;
  readonly #closed = new AbortController();
  #opening: Promise<BuiltInRegistry> | null = null;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Throws KAFKA_UNREACHABLE and the like; the next call tries again. */
  async open(): Promise<BuiltInRegistry> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return await this.#opening;
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('the schema registry is closed'));
    const opened = await this.#opening?.catch(() => null);
    await opened?.close();
  }

  async #open(): Promise<BuiltInRegistry> {
    const [{ builtInRegistry }, { kafkaRegistryStore }] = await Promise.all([
      import('../codec/registry/builtin.ts'),
      import('../codec/kafka/registry-store.ts'),
    ]);
    const { brokers, tls, sasl, replicationFactor } = brokersOf(this.#config);
    const pipeline = this.#config.name;
    const clientId = `lockstep-${pipeline}`;
    const store = kafkaRegistryStore({
      brokers,
      tls,
      ...(sasl === undefined ? {} : { sasl }),
      clientId,
      pipeline,
      replicationFactor,
    });
    return await builtInRegistry(store, this.#closed.signal);
  }
}

/** The built-in schema registry where the configuration leaves it to us; null directly or with a registry of its own. */
export function builtInSchemas(config: Config): BuiltInSchemas | null {
  return config.via !== null && config.via.schemaRegistry === null ? new BuiltInSchemas(config) : null;
}
