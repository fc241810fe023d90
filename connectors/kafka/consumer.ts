import type { Checkpoints, Lane } from '../../core/contracts.ts';
import type { Progress } from '../../core/progress.ts';
import { Bell, sleep, untilAborted } from '../../core/signals.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { isPassing, kafkaError } from '../../codec/kafka/errors.ts';
import { partitionOffsets } from '../../codec/kafka/log.ts';
import { Fetcher, removed } from './fetcher.ts';
import { Finish } from './finish.ts';
import { Group, type GroupSettings } from './group.ts';
import { PartitionLane } from './lane.ts';
import { entryName, laneName, readToken } from './lane-names.ts';
import { partitionName, partitionOf, topicOf, type PartitionName } from './partition-name.ts';
import type { Schemas } from './schemas.ts';
import type { Topology } from './topology.ts';

export interface ConsumerParts {
  readonly cluster: Cluster;
  readonly groupCluster: Cluster;
  readonly topology: Topology;
  readonly schemas: Schemas;
  readonly checkpoints: Checkpoints;
  readonly group: GroupSettings;
  readonly until: 'caught-up' | null;
  readonly progress: Progress;
  /** What the run may hold of changes. */
  readonly memoryBytes: number;
}

/** Between two looks at the topics. */
const LOOK_MS = { least: 200, most: 3000 };
/** The part of the time that looks may take within these: a large cluster lists all it has. */
const LOOKING_PART = 1 / 50;
const COMMIT_MS = 5000;
const DECIDED_MS = 3000;
/** So long a lane that moves to another member may take to make durable what it has handed out; then the compare-and-set decides. */
const DRAIN_MS = 10_000;

/** Holds the partitions that the group assigns, as lanes. */
export class Consumer {
  readonly #parts: ConsumerParts;
  readonly #lanes = new Map<PartitionName, PartitionLane>();
  /** Lanes that were lost or closed and may still have a batch at the target, by partition. */
  readonly #ending = new Set<PartitionName>();
  readonly #starting = new Set<PartitionName>();
  readonly #ready: PartitionLane[] = [];
  readonly #changed = new Bell();
  readonly #fetcher: Fetcher;
  readonly #group: Group;
  #assigned: ReadonlySet<PartitionName> = new Set();
  #finish: Finish | null = null;
  readonly #stop = new AbortController();

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    const heard = (): void => {
      parts.progress.lastHeardAtMs = Date.now();
    };
    this.#fetcher = new Fetcher(parts.cluster, parts.topology, this.#lanes, parts.memoryBytes, heard);
    this.#group = new Group(parts.groupCluster, parts.group, {
      topics: () => new Map([...parts.topology.topics].map(([topic, leaders]) => [topic, leaders.length])),
      held: () => [...this.#lanes.keys(), ...this.#starting, ...this.#ending],
      assign: (partitions) => this.#assign(partitions),
      lose: () => this.#lose(),
    });
    parts.topology.listen((changed) => {
      if (changed) this.#group.rejoin();
      this.#fetcher.changed();
    });
  }

  /** The lanes as they are assigned; with `caught-up` until all partitions of all topics are done. */
  async *lanes(signal: AbortSignal): AsyncGenerator<Lane> {
    const follow = (): void => this.#stop.abort(signal.reason);
    if (signal.aborted) follow();
    signal.addEventListener('abort', follow, { once: true });
    const stop = this.#stop.signal;
    this.#finish = this.#parts.until === null ? null : new Finish(await this.#ends(stop));
    void this.#finish?.done.then(() => this.#changed.notify());
    const work = [this.#group.run(stop), this.#fetcher.run(stop), this.#look(stop), this.#commitOften(stop)];
    for (const task of work) task.catch((error: unknown) => this.#fail(error));
    for (;;) {
      const lane = this.#ready.shift();
      if (lane !== undefined) yield lane;
      else if (this.#finish?.everybody === true) break;
      else await this.#changed.wait(stop);
    }
  }

  /** Commits for monitoring and leaves the group. */
  async leave(signal: AbortSignal): Promise<void> {
    await this.#commit(signal).catch(() => undefined);
    this.#stop.abort(new Error('the source is closed'));
    await this.#group.leave(this.#parts.cluster, signal);
  }

  #fail(error: unknown): void {
    this.#stop.abort(kafkaError(error, `consumer group ${this.#parts.group.group}`));
  }

  /**
   * Where the partitions end now. A transaction is committed some milliseconds before readers see it: what was written is waited for,
   * but not for long, because a transaction may also be open for long.
   */
  async #ends(signal: AbortSignal): Promise<Map<PartitionName, number>> {
    const written = await this.#offsets('written', signal);
    for (const giveUpAt = Date.now() + DECIDED_MS; ;) {
      const ends = await this.#offsets('end', signal);
      const seen = [...written].every(([name, offset]) => (ends.get(name) ?? 0) >= offset);
      if (seen || Date.now() > giveUpAt) return ends;
      await sleep(20, signal);
    }
  }

  #offsets(at: 'written' | 'end', signal: AbortSignal): Promise<Map<PartitionName, number>> {
    const { cluster, topology } = this.#parts;
    const ask = async (): Promise<Map<PartitionName, number>> => {
      const found = new Map<PartitionName, number>();
      for (const [topic, leaders] of topology.topics) {
        const offsets = await partitionOffsets(cluster, topic, leaders, at, signal);
        offsets.forEach((offset, partition) => found.set(partitionName(topic, partition), offset));
      }
      return found;
    };
    return topology.askLeaders('cannot find the ends of the topics', ask, signal);
  }

  #assign(partitions: ReadonlySet<PartitionName>): void {
    this.#assigned = partitions;
    for (const [name, lane] of this.#lanes) if (!partitions.has(name)) this.#end(name, lane, true);
    for (const name of partitions) {
      if (!this.#lanes.has(name) && !this.#starting.has(name) && !this.#ending.has(name)) this.#start(name);
    }
  }

  #lose(): void {
    this.#assigned = new Set();
    for (const [name, lane] of this.#lanes) this.#end(name, lane, false);
  }

  /** Lets a lane finish what it has handed out, then tells the group, or starts it anew if it came back meanwhile. */
  #end(name: PartitionName, lane: PartitionLane, rejoin: boolean): void {
    this.#lanes.delete(name);
    this.#ending.add(name);
    const ending = async (): Promise<void> => {
      const patience = sleep(DRAIN_MS, this.#stop.signal);
      await Promise.race([lane.close(), patience]);
      this.#ending.delete(name);
      if (this.#assigned.has(name)) this.#start(name);
      else if (rejoin && this.#ending.size === 0) this.#group.rejoin();
    };
    ending().catch((error: unknown) => this.#fail(error));
  }

  #start(name: PartitionName): void {
    this.#starting.add(name);
    const starting = async (): Promise<void> => {
      const lane = await this.#open(name, this.#stop.signal);
      this.#starting.delete(name);
      if (!this.#assigned.has(name)) {
        this.#group.rejoin();
        return;
      }
      this.#lanes.set(name, lane);
      this.#ready.push(lane);
      this.#changed.notify();
      this.#fetcher.changed();
    };
    starting().catch((error: unknown) => this.#fail(error));
  }

  async #open(name: PartitionName, signal: AbortSignal): Promise<PartitionLane> {
    const topic = topicOf(name);
    const partition = partitionOf(name);
    const lane = laneName(topic, partition);
    const entry = entryName(lane);
    const token = (await this.#parts.checkpoints.load(entry, signal)).get(entry);
    const { cluster, schemas, topology } = this.#parts;
    const offsetsAt = (at: 'beginning' | 'written'): Promise<number[]> =>
      partitionOffsets(cluster, topic, topology.topics.get(topic) ?? [], at, signal, partition);
    const [beginning, end] = await topology.askLeaders(
      `cannot find the ends of ${name}`,
      () => Promise.all([offsetsAt('beginning'), offsetsAt('written')]),
      signal,
    );
    const first = beginning[partition] ?? 0;
    const offset = token === undefined ? first : readToken(token, entry);
    if (offset < first || offset > (end[partition] ?? 0)) throw removed(topic, partition);
    const taken = (): void => this.#fetcher.changed();
    return new PartitionLane({ topic, partition, offset }, { schemas, finish: this.#finish, taken, signal });
  }

  /** Notices new topics and partitions, and with `caught-up` what other members have done. */
  async #look(signal: AbortSignal): Promise<void> {
    for (let tookMs = 0; ;) {
      await sleep(Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, tookMs / LOOKING_PART)), signal);
      const begunAtMs = performance.now();
      try {
        await this.#parts.topology.look(signal);
        await this.#lookElsewhere(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw kafkaError(error, 'cannot list the topics');
      }
      tookMs = performance.now() - begunAtMs;
    }
  }

  /** What other members have done, as the target knows it. */
  async #lookElsewhere(signal: AbortSignal): Promise<void> {
    for (const name of this.#finish?.open ?? []) {
      if (this.#assigned.has(name) || this.#lanes.has(name) || this.#ending.has(name)) continue;
      const entry = entryName(laneName(topicOf(name), partitionOf(name)));
      const token = (await this.#parts.checkpoints.load(entry, signal)).get(entry);
      if (token !== undefined) this.#finish?.reached(name, readToken(token, entry));
    }
  }

  async #commitOften(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(COMMIT_MS, signal);
      await this.#commit(signal);
    }
  }

  async #commit(signal: AbortSignal): Promise<void> {
    const offsets = [...this.#lanes.values()].map(({ topic, partition, doneTo }) => ({
      topic,
      partition,
      offset: doneTo,
    }));
    await untilAborted(signal, this.#group.commit(offsets, signal));
  }
}
