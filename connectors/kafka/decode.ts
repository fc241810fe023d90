import type { Batch, Change, Moment } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { schemaIdOf, type DecodedChange, type DecodedSource } from '../../codec/avro/decode.ts';
import { readCascade } from '../../codec/kafka/cascade.ts';
import { BARRIER_HEADER, parseBarrier, type BarrierHeader } from '../../codec/kafka/barrier.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';

import { laneName } from './lane-names.ts';
import type { MessageReader, Schemas } from './schemas.ts';

/** A batch without its checkpoint, with the offset behind its last record. */
export interface DecodedBatch {
  readonly batch: Omit<Batch, 'checkpoint'>;
  readonly nextOffset: number;
}

/** Over Kafka the snapshot's rows and what follows them have one order per key: every update may be an upsert. */
export const NOTHING_COPYING: ReadonlySet<string> = new Set();
/** A decoded row in memory beside its values: arrays, objects, numbers. Values take about twice their bytes. */
const ROW_BYTES = 200;

/** What a partition's messages up to here say about a tombstone behind them. */
export interface Trail {
  table: TableSchema | null;
  /** The key of the message, if that is a delete. */
  deleted: Buffer | null;
}

/**
 * Decodes the records of one partition whose schemas are prepared; a barrier is a batch of its own. A tombstone whose delete compaction
 * has taken away is a delete itself: whoever has read the row before would keep it for ever (G1).
 */
export function* decodeRecords(
  topic: string,
  records: readonly KafkaRecord[],
  schemas: Schemas,
  trail: Trail,
): Generator<DecodedBatch> {
  let changes: Change[] = [];
  let bytes = 0;
  const last = new LastSeen(schemas);
  for (const record of records) {
    const { key, value, headers, offset } = record;
    if (value === null) {
      const change = tombstone(topic, record, schemas, trail);
      if (change !== null) changes.push(change);
      if (change !== null) bytes += ROW_BYTES;
      continue;
    }
    const where = `message ${offset} of ${topic}`;
    const reader = last.readerOf(record, value, where);
    const decoded = reader.decoder.decode(value, 5);
    const at = last.moment(decoded.source);
    trail.table = reader.table;
    trail.deleted = decoded.op === 'd' ? key : null;
    const barrier = headers?.get(BARRIER_HEADER);
    if (barrier !== undefined) {
      if (changes.length > 0) yield { batch: rows(changes, bytes), nextOffset: offset };
      [changes, bytes] = [[], 0];
      yield { batch: barrierBatch(parseBarrier(barrier, where), reader, at, where), nextOffset: offset + 1 };
      continue;
    }
    changes.push(toChange(decoded, reader, at, where));
    bytes += ROW_BYTES + 2 * value.length;
  }
  // A view of it would keep the whole fetch in memory.
  if (trail.deleted !== null) trail.deleted = Buffer.from(trail.deleted);
  const end = records.at(-1);
  if (changes.length > 0 && end !== undefined) yield { batch: rows(changes, bytes), nextOffset: end.offset + 1 };
}

/** Null where the delete stands before it, and for a key that is none of ours to read. */
function tombstone(topic: string, record: KafkaRecord, schemas: Schemas, trail: Trail): Change | null {
  const { key, timestampMs } = record;
  const keyId = key === null ? null : schemaIdOf(key);
  if (key === null || keyId === null || trail.deleted?.equals(key) === true) return null;
  const reader = schemas.keyReader(topic, keyId, trail.table);
  if (reader === undefined) return null;
  const { table, decode } = reader;
  const at: Moment = { committedAtMs: timestampMs, gtid: null, file: '', offset: 0, serverId: 0 };
  return { kind: 'delete', table, before: decode(key), after: null, at };
}

function rows(changes: readonly Change[], bytes: number): Omit<Batch, 'checkpoint'> {
  return { changes, bytes, copying: NOTHING_COPYING, barrier: null };
}

function toChange({ op, before, after }: DecodedChange, { table }: MessageReader, at: Moment, where: string): Change {
  switch (op) {
    case 'r':
    case 'c':
    case 'u':
      if (after === null) throw malformed(`${where} has op ${op} and no row after it`);
      if (op === 'r') return { kind: 'read', table, before: null, after, at };
      // Connectors that do not know the old row leave it out; without it an update is an upsert.
      if (op === 'c' || before === null) return { kind: 'insert', table, before: null, after, at };
      return { kind: 'update', table, before, after, at };
    case 'd':
      if (before === null) throw malformed(`${where} is a delete without the row that was deleted`);
      return { kind: 'delete', table, before, after: null, at };
    case 't':
      return { kind: 'truncate', table, at };
    case 'm':
      throw malformed(`${where} has op m and no header ${BARRIER_HEADER}`);
    default:
      return unreachable(op);
  }
}

function malformed(message: string): LockstepError {
  const fix = 'let the connector that writes this topic send full before and after images in the Debezium envelope';
  return new LockstepError('KAFKA_MESSAGE', message, { fix });
}

function barrierBatch(
  header: BarrierHeader,
  { table }: MessageReader,
  at: Moment,
  where: string,
): Omit<Batch, 'checkpoint'> {
  const lanes = Object.entries(header.across).flatMap(([topic, partitions]) =>
    Array.from({ length: partitions }, (_, partition) => laneName(topic, partition)),
  );
  const changes = [barrierChange(header, table, at, where)];
  return { changes, bytes: ROW_BYTES, copying: NOTHING_COPYING, barrier: { id: header.id, lanes } };
}

function barrierChange(header: BarrierHeader, table: MessageReader['table'], at: Moment, where: string): Change {
  switch (header.kind) {
    case 'truncate':
      return { kind: 'truncate', table, at };
    case 'cascade': {
      const cascade = header.cascade === undefined ? null : readCascade(header.cascade, at);
      if (cascade === null) throw malformed(`${where} is a cascade of no table`);
      return cascade;
    }
    case 'marker':
      return { kind: 'marker', token: header.token ?? header.id, at };
    case 'schema': {
      const { before = null, after = null, statement = '' } = header;
      if (before === null && after === null) throw malformed(`${where} is a schema change of no table`);
      return { kind: 'schema', before, after, statement, at };
    }
    default:
      return unreachable(header.kind);
  }
}

/** Neighbours mostly have one schema and one transaction: what was looked up last is looked at first. */
class LastSeen {
  readonly #schemas: Schemas;
  #keyId: number | null = null;
  #valueId: number | null = null;
  #reader: MessageReader | undefined;
  #moment: Moment | null = null;

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  readerOf({ key }: KafkaRecord, value: Buffer, where: string): MessageReader {
    const valueId = schemaIdOf(value);
    const keyId = key === null ? null : schemaIdOf(key);
    if (valueId === null) throw malformed(`${where} is not Avro in the Confluent wire format`);
    if (this.#reader === undefined || keyId !== this.#keyId || valueId !== this.#valueId) {
      this.#reader = this.#schemas.reader(keyId, valueId);
      [this.#keyId, this.#valueId] = [keyId, valueId];
    }
    if (this.#reader === undefined) throw new LockstepError('BUG', `${where}: no reader for schema ${valueId}`);
    return this.#reader;
  }

  moment({ tsMs, gtid, file, pos, serverId }: DecodedSource): Moment {
    const last = this.#moment;
    if (last?.offset === pos && last.committedAtMs === tsMs && last.gtid === gtid && last.file === file) return last;
    this.#moment = { committedAtMs: tsMs, gtid, file, offset: pos, serverId };
    return this.#moment;
  }
}
