import type { Checkpoints, Lane, Source } from '../../core/contracts.ts';
import type { Progress } from '../../core/progress.ts';
import type { TableSchema } from '../../core/table.ts';
import { untilAborted } from '../../core/signals.ts';
import { tableFromSchema } from '../../codec/avro/table.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { kafkaError } from '../../codec/kafka/errors.ts';
import { keySubject, valueSubject } from '../../codec/kafka/names.ts';
import type { OpenedRegistry } from '../../codec/kafka/open-registry.ts';
import { Consumer } from './consumer.ts';
import { firstTable } from './first-table.ts';
import type { GroupSettings } from './group.ts';
import { Schemas } from './schemas.ts';
import { Topology } from './topology.ts';

export interface KafkaSourceParts {
  /** For fetching and looking around. */
  readonly cluster: Cluster;
  /** For the group alone: a join holds up everything behind it on its connection. */
  readonly groupCluster: Cluster;
  readonly registry: OpenedRegistry;
  readonly prefix: string;
  readonly group: GroupSettings;
  readonly until: 'caught-up' | null;
  readonly progress: Progress;
  /** What the run may hold of changes. */
  readonly memoryBytes: number;
}

const CLOSE_MS = 2000;
const SIDE_BY_SIDE = 8;

/** Topics as a source: one lane per assigned partition, started from the target's checkpoints. */
export class KafkaSource implements Source {
  readonly #parts: KafkaSourceParts;
  readonly #topology: Topology;
  readonly #schemas: Schemas;
  #consumer: Consumer | null = null;

  constructor(parts: KafkaSourceParts) {
    this.#parts = parts;
    this.#topology = new Topology(parts.cluster, parts.prefix);
    this.#schemas = new Schemas(parts.registry.registry);
  }

  /** The tables as they were where their topics begin (see `firstTable`); of a topic without messages, its newest schema. */
  async tables(signal: AbortSignal): Promise<readonly TableSchema[]> {
    await this.#look(signal);
    const waiting = [...this.#topology.topics.keys()];
    const tables: TableSchema[] = [];
    const work = async (): Promise<void> => {
      for (let topic = waiting.shift(); topic !== undefined; topic = waiting.shift()) {
        const read = (): Promise<TableSchema | null> => this.#table(topic, signal);
        const table = await this.#topology.askLeaders(`cannot read the beginning of ${topic}`, read, signal);
        if (table !== null) tables.push(table);
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    return tables;
  }

  async *lanes(checkpoints: Checkpoints, signal: AbortSignal): AsyncGenerator<Lane> {
    await this.#look(signal);
    const consumer = new Consumer({ ...this.#parts, topology: this.#topology, schemas: this.#schemas, checkpoints });
    this.#consumer = consumer;
    yield* consumer.lanes(signal);
  }

  async close(): Promise<void> {
    const signal = AbortSignal.timeout(CLOSE_MS);
    await this.#consumer?.leave(signal).catch(() => undefined);
    this.#parts.group.instance?.release();
    await Promise.all([this.#parts.cluster.close(), this.#parts.groupCluster.close(), this.#parts.registry.close()]);
  }

  async #table(topic: string, signal: AbortSignal): Promise<TableSchema | null> {
    const leaders = this.#topology.topics.get(topic) ?? [];
    const first = await firstTable(this.#parts.cluster, topic, leaders, this.#schemas, signal);
    if (first === 'none') return null;
    if (first !== 'empty') return first;
    const { registry } = this.#parts.registry;
    const value = await registry.latest(valueSubject(topic), signal);
    if (value === null) return null;
    const key = await registry.latest(keySubject(topic), signal);
    return tableFromSchema(value.schema, key?.schema ?? null);
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      await untilAborted(signal, this.#topology.look(signal));
    } catch (error) {
      signal.throwIfAborted();
      throw kafkaError(error, 'cannot look at the topics');
    }
  }
}
