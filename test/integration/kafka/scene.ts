import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch, Change, Moment, Target } from '../../../core/contracts.ts';
import { runLoop } from '../../../core/loop.ts';
import { Memory } from '../../../core/memory.ts';
import { Progress } from '../../../core/progress.ts';
import { sleep } from '../../../core/signals.ts';
import { Transforms } from '../../../core/transform.ts';
import { openCluster, type Cluster } from '../../../codec/kafka/cluster.ts';
import { fetchRecords, partitionOffsets } from '../../../codec/kafka/log.ts';
import { Writer } from '../../../codec/kafka/protocol.ts';
import { kafka as source, type KafkaSourceOptions } from '../../../connectors/kafka/index.ts';
import { kafka as sink, type KafkaTargetOptions } from '../../../sinks/kafka/index.ts';
import { batch, checkpoint } from '../../unit/core/memory.ts';

/** Where the servers of a test are. */
export interface Places {
  readonly brokers: readonly string[];
  readonly registry: string | null;
}

export const limits = { bytes: 8 * 1024 * 1024, changes: 50_000 };
export const never = new AbortController().signal;
let serial = 0;

/** A pipeline's name that no other test has. */
export function newPipeline(): string {
  serial += 1;
  return `t${Date.now().toString(36)}_${process.pid}_${serial}`;
}

export function newFile(name: string): string {
  return join(mkdtempSync(join(tmpdir(), 'lockstep-kafka-')), name);
}

export function sinkOptions(
  places: Places,
  pipeline: string,
  more: Partial<KafkaTargetOptions> = {},
): KafkaTargetOptions {
  const common = { pipeline, target: 'kafka', url: '', metadata: '', progress: new Progress() };
  return { ...places, ...common, ...more };
}

export function sourceOptions(
  places: Places,
  pipeline: string,
  more: Partial<KafkaSourceOptions> = {},
): KafkaSourceOptions {
  const common = { pipeline, target: 'copy', url: '', tables: [], until: null, progress: new Progress() };
  return { ...places, ...common, ...more };
}

export function openSink(places: Places, pipeline: string, more: Partial<KafkaTargetOptions> = {}): Promise<Target> {
  return sink.open(sinkOptions(places, pipeline, more));
}

/** Applies changes as one batch of the lane `stream`, with a checkpoint. */
export async function publish(target: Target, changes: readonly Change[], token = 'x'): Promise<void> {
  const whole: Batch = batch(changes, { checkpoint: checkpoint({ position: token }) });
  await target.apply({ name: 'stream', kind: 'stream' }, whole, never);
}

/** Reads all topics of a pipeline into a target, to what is their end now. */
export async function catchUp(
  places: Places,
  pipeline: string,
  target: Target,
  more: Partial<KafkaSourceOptions> = {},
): Promise<void> {
  await consume(places, pipeline, target, never, { until: 'caught-up', ...more });
}

/** Reads all topics of a pipeline into a target until the signal aborts. */
export async function consume(
  places: Places,
  pipeline: string,
  target: Target,
  signal: AbortSignal,
  more: Partial<KafkaSourceOptions> = {},
): Promise<void> {
  const opened = await source.open(sourceOptions(places, pipeline, more));
  try {
    const transforms = new Transforms([]);
    await runLoop({
      source: opened,
      target,
      transforms,
      progress: new Progress(),
      limits,
      memory: new Memory(64 * 1024 * 1024),
      signal,
    });
  } finally {
    await opened.close();
  }
}

/** Every committed record of a topic by partition: key and value, null for a tombstone. */
export async function recordsOf(
  places: Places,
  topic: string,
): Promise<{ partition: number; key: Buffer | null; value: Buffer | null }[]> {
  const cluster = await openCluster({ brokers: places.brokers, clientId: 'test' }, never);
  try {
    const [place] = await cluster.topics([topic], never);
    const leaders = place?.leaders ?? [];
    const ends = await partitionOffsets(cluster, topic, leaders, 'written', never);
    const found = [];
    for (const [partition, leader] of leaders.entries()) {
      for (let offset = 0; offset < (ends[partition] ?? 0);) {
        const wanted = [{ topic, partition, offset, maxBytes: 1e6 }];
        const [fetched] = await fetchRecords(cluster, leader, wanted, 100, never);
        if (fetched === undefined) break;
        if (fetched.nextOffset === offset) continue; // not decided yet
        found.push(...fetched.records.map(({ key, value }) => ({ partition, key, value })));
        offset = fetched.nextOffset;
      }
    }
    return found;
  } finally {
    await cluster.close();
  }
}

/** How many members a consumer group has, those that are joining included. DescribeGroups v0 => [group] */
export async function membersOf(cluster: Cluster, group: string): Promise<number> {
  const coordinator = await cluster.coordinator('group', group, never);
  const request = new Writer().int32(1).string(group);
  const answer = await cluster.call(coordinator, { key: 15, version: 0, name: 'DescribeGroups' }, request, never);
  // => [error group state protocol_type protocol [member ...]]
  answer.int32();
  answer.int16();
  for (let text = 0; text < 4; text++) answer.string();
  return answer.int32();
}

/** Waits for a condition. */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  seconds = 60,
): Promise<void> {
  const giveUpAt = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt)
      throw new Error(`after ${seconds} s still not: ${typeof what === 'string' ? what : what()}`);
    await sleep(50, never);
  }
}

/** The n-th place in the source's history. */
export function moment(n: number): Moment {
  return { committedAtMs: 1_700_000_000_000 + n, gtid: `0-1-${n}`, file: 'binlog.000001', offset: n, serverId: 1 };
}
