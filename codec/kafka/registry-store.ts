import type { RegistryStore, StoredRecord } from '../registry/builtin.ts';
import type { KafkaRecord } from './batch-reader.ts';
import { BatchWriter } from './batch-writer.ts';
import { openCluster, type Cluster, type ClusterOptions } from './cluster.ts';
import { kafkaError } from './errors.ts';
import { readToEnd } from './log.ts';
import { schemaTopic } from './names.ts';
import { produce } from './produce.ts';
import { createTopic, defaultReplication } from './topics.ts';

export interface RegistryStoreOptions extends ClusterOptions {
  readonly pipeline: string;
  /** Of the topic when it is created; null: 3, or the number of brokers if smaller. */
  readonly replicationFactor: number | null;
}

/** The built-in registry's records in the compacted topic `{pipeline}.schemas`, which the first record creates. */
export function kafkaRegistryStore(options: RegistryStoreOptions): RegistryStore {
  return new KafkaRegistryStore(options);
}

class KafkaRegistryStore implements RegistryStore {
  readonly #options: RegistryStoreOptions;
  readonly #topic: string;
  readonly #records: StoredRecord[] = [];
  #opening: Promise<Cluster> | null = null;
  #reading: Promise<unknown> = Promise.resolve();
  #leader: number | null = null;
  #offset = 0;

  constructor(options: RegistryStoreOptions) {
    this.#options = options;
    this.#topic = schemaTopic(options.pipeline);
  }

  /** Reads what came since the last time: a registry loads before every write. */
  async load(signal: AbortSignal): Promise<readonly StoredRecord[]> {
    const reading = this.#reading.then(() => this.#read(signal));
    this.#reading = reading.catch(() => undefined);
    await reading;
    return [...this.#records];
  }

  async append(record: StoredRecord, signal: AbortSignal): Promise<void> {
    await this.#translated(signal, async () => {
      const cluster = await this.#cluster(signal);
      this.#leader ??= await this.#place(cluster, signal);
      await produce(
        cluster,
        this.#leader,
        null,
        [{ topic: this.#topic, partition: 0, records: batchOf(record) }],
        signal,
      );
    });
  }

  async close(): Promise<void> {
    try {
      await (await this.#opening)?.close();
    } catch {
      // It could not be opened: whoever opened it was told.
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    await this.#translated(signal, async () => {
      const note = ({ key, value }: KafkaRecord): void => {
        if (key !== null && value !== null) this.#records.push({ key: key.toString(), value: value.toString() });
      };
      this.#offset = await readToEnd(await this.#cluster(signal), this.#topic, this.#offset, note, signal);
    });
  }

  async #place(cluster: Cluster, signal: AbortSignal): Promise<number> {
    const { replicationFactor } = this.#options;
    const { leaders } = await createTopic(
      cluster,
      {
        topic: this.#topic,
        partitions: 1,
        replicationFactor: replicationFactor ?? defaultReplication(cluster),
        settings: { 'cleanup.policy': 'compact' },
      },
      signal,
    );
    return leaders[0] ?? -1;
  }

  #cluster(signal: AbortSignal): Promise<Cluster> {
    this.#opening ??= this.#open(signal);
    return this.#opening;
  }

  async #open(signal: AbortSignal): Promise<Cluster> {
    try {
      return await openCluster(this.#options, signal);
    } catch (error) {
      this.#opening = null;
      throw error;
    }
  }

  async #translated(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#leader = null;
      signal.throwIfAborted();
      throw kafkaError(error, `cannot use the schema topic ${this.#topic}`);
    }
  }
}

function batchOf({ key, value }: StoredRecord): Buffer {
  const bytes = Buffer.from(key + value);
  const keyBytes = Buffer.byteLength(key);
  const writer = new BatchWriter();
  writer.append(bytes, 0, keyBytes, keyBytes, bytes.length, null);
  return writer.finish({ id: -1n, epoch: -1, transactional: false }, -1, Date.now());
}
