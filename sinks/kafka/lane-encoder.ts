import type { Change, Row, RowChange } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { isSameAt } from '../../core/row.ts';
import type { TableSchema } from '../../core/table.ts';
import { isRowChange } from '../../core/transform.ts';
import { encodeMarkerKey } from '../../codec/avro/encode.ts';
import { AvroWriter } from '../../codec/avro/writer.ts';
import { recordHeaders } from '../../codec/kafka/batch-writer.ts';
import { BARRIER_HEADER } from '../../codec/kafka/barrier.ts';
import { travelling } from './barriers.ts';
import { partitionOf } from './partition.ts';
import type { PublishedTable, PublishedTables } from './published-tables.ts';
import type { Publisher } from './publisher.ts';

/** Magic and schema id before the Avro bytes. */
const HEADER_BYTES = 5;
/** What a batch of one record has beside the record. */
const BATCH_OVERHEAD = 128;

/** Turns the changes of one lane into records and hands them to its publisher, in order. */
export class LaneEncoder {
  readonly #tables: PublishedTables;
  readonly #publisher: Publisher;
  readonly #markerKeyId: number;
  readonly #writer = new AvroWriter();

  constructor(tables: PublishedTables, publisher: Publisher, markerKeyId: number) {
    this.#tables = tables;
    this.#publisher = publisher;
    this.#markerKeyId = markerKeyId;
  }

  /** Resolves when all changes are taken over. Throws KAFKA_MESSAGE for a row that no message can hold. */
  async publish(changes: readonly Change[], signal: AbortSignal): Promise<void> {
    const nowMs = Date.now();
    let table: PublishedTable | undefined;
    for (const change of changes) {
      if (!isRowChange(change)) {
        await this.#barrier(change, nowMs, signal);
        continue;
      }
      if (table?.table !== change.table) {
        table = this.#tables.get(change.table) ?? (await this.#tables.open(change.table, signal));
      }
      const to = table;
      if (!this.#row(to, change, nowMs)) await this.#afterFlush(() => this.#row(to, change, nowMs), signal);
    }
  }

  /**
   * False where a record has no room: the caller flushes and asks again for the whole change. Of a delete and its tombstone the first
   * may then be sent twice, which deletes what is deleted.
   */
  #row(to: PublishedTable, change: RowChange, nowMs: number): boolean {
    if (change.kind === 'update' && keyMoved(to.table, change.before, change.after)) {
      const { table, before, after, at } = change;
      return (
        this.#record(to, { kind: 'delete', table, before, after: null, at }, nowMs) &&
        this.#record(to, { kind: 'insert', table, before: null, after, at }, nowMs)
      );
    }
    return this.#record(to, change, nowMs);
  }

  #record(to: PublishedTable, change: RowChange, nowMs: number): boolean {
    const writer = this.#writer;
    writer.reset();
    const keyed = to.table.key.length > 0;
    if (keyed) to.encoder.key(change.after ?? change.before, writer);
    const keyEnd = writer.length;
    to.encoder.value(change, writer, nowMs);
    if (writer.length + BATCH_OVERHEAD > to.maxBytes) throw tooLarge(to, writer.length);
    const { buffer, length } = writer;
    const partition = keyed ? partitionOf(buffer, HEADER_BYTES, keyEnd, to.leaders.length) : 0;
    if (!this.#publisher.append(to, partition, buffer, 0, keyEnd, keyEnd, length, null)) return false;
    if (change.kind !== 'delete' || !keyed) return true;
    return this.#publisher.append(to, partition, buffer, 0, keyEnd, keyEnd, keyEnd, null);
  }

  /** A change without a row goes to every partition that it concerns, with the same id in each. */
  async #barrier(change: Exclude<Change, RowChange>, nowMs: number, signal: AbortSignal): Promise<void> {
    for (const { topics, header } of await travelling(change, this.#tables, signal)) {
      const headers = recordHeaders(BARRIER_HEADER, JSON.stringify(header));
      for (const to of topics) {
        this.#writer.reset();
        encodeMarkerKey(header.id, this.#markerKeyId, this.#writer);
        const keyEnd = this.#writer.length;
        to.encoder.value(change, this.#writer, nowMs);
        for (let partition = 0; partition < to.leaders.length; partition++) {
          const { buffer, length } = this.#writer;
          const append = (): boolean =>
            this.#publisher.append(to, partition, buffer, 0, keyEnd, keyEnd, length, headers);
          if (!append()) await this.#afterFlush(append, signal);
        }
      }
    }
  }

  async #afterFlush(append: () => boolean, signal: AbortSignal): Promise<void> {
    await this.#publisher.flush(signal);
    if (!append()) throw new LockstepError('BUG', 'a record finds no room in an empty request');
  }
}

function keyMoved(table: TableSchema, before: Row, after: Row): boolean {
  for (const column of table.key) {
    if (!isSameAt(before, after, column)) return true;
  }
  return false;
}

function tooLarge(to: PublishedTable, bytes: number): LockstepError {
  const key = to.table.key.map((column) => to.table.columns[column]?.name ?? '').join(', ');
  const what = key === '' ? 'a row' : `a row (key ${key})`;
  return new LockstepError(
    'KAFKA_MESSAGE',
    `${what} of ${to.table.origin} makes a message of ${bytes} bytes; the topic ${to.topic} takes ${to.maxBytes}`,
    {
      fix: `kafka-configs.sh --alter --topic ${to.topic} --add-config max.message.bytes=${bytes * 2}, or leave the large column out`,
    },
  );
}
