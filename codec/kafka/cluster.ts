import type { Socket } from 'node:net';
import { LockstepError } from '../../core/errors.ts';
import { sleep, untilAborted } from '../../core/signals.ts';
import { errorType, kafkaError, throwIfError } from './errors.ts';
import { kafkajsCluster, type KafkajsBroker, type KafkajsCluster } from './kafkajs.ts';
import { mendKafkajs } from './mend.ts';
import { Reader, Writer, type Api } from './protocol.ts';
import { send } from './send.ts';

/** How the brokers are reached. */
export interface ClusterOptions {
  /** `host:port`, some of the brokers; the others are found through them. */
  readonly brokers: readonly string[];
  /** Names this client in the brokers' logs and metrics. */
  readonly clientId: string;
  readonly tls?: boolean;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

export interface TopicPlace {
  readonly topic: string;
  /** The leader's node id per partition, -1 where there is none now. */
  readonly leaders: readonly number[];
}

const FETCH_API = 1;

const api = {
  metadata: { key: 3, version: 5, name: 'Metadata' },
  findCoordinator: { key: 10, version: 1, name: 'FindCoordinator' },
} as const satisfies Record<string, Api>;

/**
 * One client of one Kafka cluster: finds leaders and coordinators, carries requests. It retries nothing; errors come back raw, for the
 * caller to translate with `kafkaError`, who knows what was being done.
 */
export class Cluster {
  readonly #kafkajs: KafkajsCluster;
  readonly #sockets: Set<Socket>;

  constructor(options: ClusterOptions) {
    mendKafkajs();
    this.#sockets = new Set();
    this.#kafkajs = kafkajsCluster(options, this.#sockets);
  }

  /** The node ids of all brokers, as of the last refresh. */
  get nodes(): readonly number[] {
    return this.#kafkajs.getNodeIds().map(Number);
  }

  async connect(signal: AbortSignal): Promise<void> {
    await untilAborted(signal, this.#kafkajs.connect());
    await this.refresh(signal);
  }

  /** Learns anew which brokers there are. */
  refresh(signal: AbortSignal): Promise<void> {
    return untilAborted(signal, this.#kafkajs.refreshMetadata());
  }

  /** Where partitions live; null asks for all topics, a topic that does not exist is left out. Never creates one. */
  async topics(names: readonly string[] | null, signal: AbortSignal): Promise<TopicPlace[]> {
    // Metadata v5 => [topics]? allow_auto_topic_creation
    const request = new Writer();
    if (names === null) request.int32(-1);
    else request.array(names, (name) => request.string(name));
    const answer = await this.call(await this.anyNode(signal), api.metadata, request.int8(0), signal);
    // => throttle [node host port rack?] cluster? controller [error topic internal [error partition leader [replica] [isr] [offline]]]
    answer.int32();
    answer.array(() => void (answer.int32(), answer.string(), answer.int32(), answer.string()));
    answer.string();
    answer.int32();
    const topics = answer.array(() => {
      const error = answer.int16();
      const topic = answer.text();
      answer.int8();
      const partitions = answer.array(() => readPartition(answer));
      if (error !== UNKNOWN_TOPIC && error !== LEADER_NOT_AVAILABLE) throwIfError(error);
      return { topic, leaders: partitions.sort((a, b) => a.partition - b.partition).map((p) => p.leader) };
    });
    return topics.filter((topic) => topic.leaders.length > 0);
  }

  /** The node that coordinates a consumer group or a transactional id. Waits while a new one is being found. */
  async coordinator(of: 'group' | 'transaction', id: string, signal: AbortSignal): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      // FindCoordinator v1 => key key_type
      const request = new Writer().string(id).int8(of === 'group' ? 0 : 1);
      const answer = await this.call(await this.anyNode(signal), api.findCoordinator, request, signal);
      // => throttle error message? node host port
      answer.int32();
      const error = answer.int16();
      answer.string();
      const node = answer.int32();
      if (error !== COORDINATOR_NOT_AVAILABLE || attempt === 50) {
        throwIfError(error);
        return node;
      }
      await sleep(100, signal);
    }
  }

  /** Sends a request to a node and gives its answer behind the response header. `timeoutMs` is for answers that take their time. */
  async call(node: number, api: Api, request: Writer, signal: AbortSignal, timeoutMs = 0): Promise<Reader> {
    return new Reader(await untilAborted(signal, this.#send(node, api, request, timeoutMs)));
  }

  /** The versions of a request kind that a node speaks, null where it does not know it. */
  async versions(node: number, key: number): Promise<{ minVersion: number; maxVersion: number } | null> {
    const broker = await this.#kafkajs.findBroker({ nodeId: node });
    return broker.versions[key] ?? null;
  }

  async close(): Promise<void> {
    const ended = this.#kafkajs.disconnect().catch(() => undefined);
    const patience = setTimeout(() => this.#destroy(), 1000);
    await ended;
    clearTimeout(patience);
    this.#destroy();
  }

  async #send(node: number, api: Api, request: Writer, timeoutMs: number): Promise<Buffer> {
    const broker = await this.#broker(node);
    const connection = broker.connectionPool.pool[api.key === FETCH_API ? 1 : 0];
    if (!connection.isConnected()) await connection.connect();
    return await send(connection, api, request, timeoutMs);
  }

  async #broker(node: number): Promise<KafkajsBroker> {
    if (!this.#kafkajs.getNodeIds().includes(String(node))) await this.#kafkajs.refreshMetadata();
    return await this.#kafkajs.findBroker({ nodeId: node });
  }

  /** A broker that can be reached. */
  async anyNode(signal: AbortSignal): Promise<number> {
    if (this.nodes.length === 0) await this.refresh(signal);
    let failure: unknown;
    for (const node of this.nodes) {
      try {
        await untilAborted(signal, this.#broker(node));
        return node;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  #destroy(): void {
    for (const socket of this.#sockets) socket.destroy(new Error('the client is closed'));
  }
}

/** Connects, or says why not: KAFKA_UNREACHABLE, KAFKA_AUTH. */
export async function openCluster(options: ClusterOptions, signal: AbortSignal): Promise<Cluster> {
  const cluster = new Cluster(options);
  try {
    await cluster.connect(signal);
    return cluster;
  } catch (error) {
    await cluster.close();
    signal.throwIfAborted();
    throw unreachableError(error, options.brokers.join(', '));
  }
}

/** What a client sees that does not speak as the listener wants it. */
const closed: ReadonlySet<string> = new Set(['KafkaJSConnectionClosedError', 'ECONNRESET']);

function unreachableError(error: unknown, brokers: string): unknown {
  if (!closed.has(errorType(error) ?? '')) return kafkaError(error, `cannot reach Kafka at ${brokers}`);
  const fix =
    'this listener may want TLS or a login, or another one is meant: compare with the listeners of the broker';
  const message = `the broker at ${brokers} closed the connection before it was used`;
  return new LockstepError('KAFKA_UNREACHABLE', message, { fix, cause: error });
}

const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
const COORDINATOR_NOT_AVAILABLE = 15;

function readPartition(answer: Reader): { partition: number; leader: number } {
  answer.int16();
  const partition = answer.int32();
  const leader = answer.int32();
  for (let list = 0; list < 3; list++) answer.array(() => answer.int32());
  return { partition, leader };
}
