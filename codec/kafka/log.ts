import { readRecords, type FetchedRecords, type KafkaRecord } from './batch-reader.ts';
import type { Cluster } from './cluster.ts';
import { KafkaProtocolError, throwIfError } from './errors.ts';
import { Writer, type Api } from './protocol.ts';

const api = {
  fetch: { key: 1, version: 11, name: 'Fetch' },
  listOffsets: { key: 2, version: 2, name: 'ListOffsets' },
} as const satisfies Record<string, Api>;

const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const EARLIEST = -2;
const LATEST = -1;

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** At most so many bytes, but always a whole record batch. */
  readonly maxBytes: number;
}

export interface Fetched extends FetchedRecords {
  readonly topic: string;
  readonly partition: number;
  /** Null when the broker answered for this partition; `records` is empty otherwise. */
  readonly error: KafkaProtocolError | null;
  /** Up to here every transaction is decided: what a reader of committed records may see. */
  readonly lastStableOffset: number;
  /** What came over the wire. */
  readonly bytes: number;
}

/**
 * Fetches committed records from one node, waiting up to `maxWaitMs` for the first.
 *   Fetch v11 => replica max_wait min_bytes max_bytes isolation session epoch
 *     [topic [partition leader_epoch offset log_start max_bytes]] [forgotten] rack
 */
export async function fetchRecords(
  cluster: Cluster,
  node: number,
  wanted: readonly FetchPartition[],
  maxWaitMs: number,
  signal: AbortSignal,
): Promise<Fetched[]> {
  const request = new Writer()
    .int32(-1)
    .int32(maxWaitMs)
    .int32(1)
    .int32(16 * 1024 * 1024)
    .int8(READ_COMMITTED);
  request.int32(0).int32(-1);
  request.array(wanted, ({ topic, partition, offset, maxBytes }) => {
    request.string(topic).int32(1).int32(partition).int32(-1).int64(offset).int64(-1).int32(maxBytes);
  });
  request.int32(0).string('');
  const answer = await cluster.call(node, api.fetch, request, signal);
  // => throttle error session [topic [partition error high_watermark last_stable log_start [producer first_offset]? replica records?]]
  answer.int32();
  throwIfError(answer.int16());
  answer.int32();
  const offsets = new Map(wanted.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
  return answer
    .array(() => {
      const topic = answer.text();
      return answer.array((): Fetched => {
        const partition = answer.int32();
        const error = answer.int16();
        answer.int64();
        const lastStableOffset = answer.long();
        answer.int64();
        const aborted = answer.array(() => ({ producerId: answer.int64(), firstOffset: answer.long() }));
        answer.int32();
        const bytes = answer.data();
        const where = `${topic}/${partition}`;
        const read = readRecords(bytes, aborted, offsets.get(where) ?? 0, `Kafka partition ${where}`);
        return {
          ...read,
          topic,
          partition,
          lastStableOffset,
          bytes: bytes?.length ?? 0,
          error: error === 0 ? null : new KafkaProtocolError(error),
        };
      });
    })
    .flat();
}

/**
 * The offsets of a topic's partitions (or of `only` one; 0 for the others): at the beginning, behind the last record that a reader of
 * committed records may see now (`end`), or behind the last record, decided or not (`written`).
 *   ListOffsets v2 => replica isolation [topic [partition timestamp]]
 */
export async function partitionOffsets(
  cluster: Cluster,
  topic: string,
  leaders: readonly number[],
  at: 'beginning' | 'end' | 'written',
  signal: AbortSignal,
  only: number | null = null,
): Promise<number[]> {
  const offsets = leaders.map(() => 0);
  const asked = leaders.flatMap((node, partition) =>
    only === null || only === partition ? [{ node, partition }] : [],
  );
  for (const [node, places] of Map.groupBy(asked, (place) => place.node)) {
    const partitions = places.map((place) => place.partition);
    const request = new Writer()
      .int32(-1)
      .int8(at === 'end' ? READ_COMMITTED : READ_UNCOMMITTED)
      .int32(1)
      .string(topic);
    request.array(partitions, (partition) => request.int32(partition).int64(at === 'beginning' ? EARLIEST : LATEST));
    const answer = await cluster.call(node, api.listOffsets, request, signal);
    // => throttle [topic [partition error timestamp offset]]
    answer.int32();
    answer.array(() => {
      answer.string();
      answer.array(() => {
        const partition = answer.int32();
        throwIfError(answer.int16());
        answer.int64();
        offsets[partition] = answer.long();
      });
    });
  }
  return offsets;
}

/**
 * Every committed record of a one-partition topic from `fromOffset` to what is its end now, handed over in order; gives the offset to
 * go on from. A topic that does not exist is empty.
 */
export async function readToEnd(
  cluster: Cluster,
  topic: string,
  fromOffset: number,
  each: (record: KafkaRecord) => void,
  signal: AbortSignal,
): Promise<number> {
  const [place] = await cluster.topics([topic], signal);
  const node = place?.leaders[0];
  if (place === undefined || node === undefined) return fromOffset;
  const [end = 0] = await partitionOffsets(cluster, topic, place.leaders, 'end', signal);
  let offset = fromOffset;
  while (offset < end) {
    const wanted = [{ topic, partition: 0, offset, maxBytes: 4 * 1024 * 1024 }];
    const [fetched] = await fetchRecords(cluster, node, wanted, 100, signal);
    if (fetched === undefined) continue;
    if (fetched.error !== null) throw fetched.error;
    fetched.records.forEach(each);
    // Compaction may have left nothing between here and the end; then the fetch says so by bringing nothing.
    offset = fetched.nextOffset > offset ? fetched.nextOffset : end;
  }
  return offset;
}
