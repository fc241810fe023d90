import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { compileEncoder, type Encoder } from '../../codec/avro/encode.ts';
import { keySchema, valueSchema } from '../../codec/avro/schema.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { keySubject, tableTopic, valueSubject } from '../../codec/kafka/names.ts';
import { createTopic, defaultReplication, topicSettings } from '../../codec/kafka/topics.ts';
import type { Registry } from '../../codec/registry/registry.ts';
import { type Destination, maxBytesOf } from './publisher.ts';

/** A table as it is published: its topic, and its rows' encoder. */
export interface PublishedTable extends Destination {
  readonly table: TableSchema;
  readonly encoder: Encoder;
}

export interface PublishedTablesOptions {
  readonly pipeline: string;
  readonly partitions: number;
  readonly replicationFactor: number | null;
}

const WEEK_MS = 7 * 24 * 3600 * 1000;

/**
 * The settings of a table's topic. Keyed tables are compacted, so that a new target can start from the topic at any time; tombstones
 * stay for a week, because a target that was down for longer than they stay would miss deletes. Without a key nothing can be compacted.
 */
export function tableTopicSettings(table: TableSchema): Readonly<Record<string, string>> {
  if (table.key.length === 0) return { 'cleanup.policy': 'delete' };
  return { 'cleanup.policy': 'compact', 'delete.retention.ms': String(WEEK_MS) };
}

/** The topics that this process publishes to, with one encoder per table schema. */
export class PublishedTables {
  readonly #cluster: Cluster;
  readonly #registry: Registry;
  readonly #options: PublishedTablesOptions;
  readonly #opened = new WeakMap<TableSchema, PublishedTable>();
  readonly #byFingerprint = new Map<string, Promise<PublishedTable>>();
  readonly #current = new Map<string, PublishedTable>();
  readonly #destinations = new Map<string, Promise<Destination>>();
  readonly #origins = new Map<string, string>();

  constructor(cluster: Cluster, registry: Registry, options: PublishedTablesOptions) {
    this.#cluster = cluster;
    this.#registry = registry;
    this.#options = options;
  }

  /** A table that was opened; undefined for one that was not. */
  get(table: TableSchema): PublishedTable | undefined {
    return this.#opened.get(table);
  }

  /** Every topic in use, with its newest table. */
  all(): readonly PublishedTable[] {
    return [...this.#current.values()];
  }

  /**
   * Creates the topic where it is missing, registers the schemas, compiles the encoder. Throws TARGET_NAME_COLLISION where two tables
   * have one topic, KAFKA_TOPIC, KAFKA_AUTH, REGISTRY_REFUSED.
   */
  async open(table: TableSchema, signal: AbortSignal): Promise<PublishedTable> {
    let opening = this.#byFingerprint.get(table.fingerprint);
    if (opening === undefined) {
      opening = this.#open(table, signal);
      this.#byFingerprint.set(table.fingerprint, opening);
      opening.catch(() => this.#byFingerprint.delete(table.fingerprint));
    }
    const shared = await opening;
    const published = shared.table === table ? shared : { ...shared, table };
    this.#opened.set(table, published);
    this.#current.set(published.topic, published);
    return published;
  }

  /** The same with what its topic takes now: `max.message.bytes` may have been raised since. */
  async renew(published: PublishedTable, signal: AbortSignal): Promise<PublishedTable> {
    const { table, topic } = published;
    const settings = await topicSettings(this.#cluster, topic, signal);
    const renewed = { ...published, maxBytes: maxBytesOf(settings) };
    this.#byFingerprint.set(table.fingerprint, Promise.resolve(renewed));
    this.#opened.set(table, renewed);
    if (this.#current.get(topic)?.table === table) this.#current.set(topic, renewed);
    return renewed;
  }

  async #open(table: TableSchema, signal: AbortSignal): Promise<PublishedTable> {
    const topic = tableTopic(this.#options.pipeline, table);
    this.#refuseCollision(topic, table);
    const destination = await this.#destination(topic, table, signal);
    const keys = keySchema(table, topic);
    const ids = {
      key: keys === null ? null : await this.#registry.register(keySubject(topic), keys, signal),
      value: await this.#registry.register(valueSubject(topic), valueSchema(table, topic), signal),
    };
    return { ...destination, table, encoder: compileEncoder(table, topic, { ids, name: this.#options.pipeline }) };
  }

  #destination(topic: string, table: TableSchema, signal: AbortSignal): Promise<Destination> {
    let destination = this.#destinations.get(topic);
    if (destination === undefined) {
      destination = this.#prepareTopic(topic, table, signal);
      this.#destinations.set(topic, destination);
      destination.catch(() => this.#destinations.delete(topic));
    }
    return destination;
  }

  async #prepareTopic(topic: string, table: TableSchema, signal: AbortSignal): Promise<Destination> {
    const { partitions, replicationFactor } = this.#options;
    const [existing] = await this.#cluster.topics([topic], signal);
    const created = {
      topic,
      // Rows without a key have an order only as a whole.
      partitions: table.key.length === 0 ? 1 : partitions,
      replicationFactor: replicationFactor ?? defaultReplication(this.#cluster),
      settings: tableTopicSettings(table),
    };
    const { leaders } = existing ?? (await createTopic(this.#cluster, created, signal));
    return { topic, leaders, maxBytes: maxBytesOf(await topicSettings(this.#cluster, topic, signal)) };
  }

  #refuseCollision(topic: string, table: TableSchema): void {
    const other = this.#origins.get(topic);
    if (other !== undefined && other !== table.origin) {
      throw new LockstepError('TARGET_NAME_COLLISION', `${other} and ${table.origin} both have the topic ${topic}`, {
        fix: 'give one of them another name with a rename transform',
      });
    }
    this.#origins.set(topic, table.origin);
  }
}
