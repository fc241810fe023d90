import type { Change, RowChange } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { HeldDraft } from '../../core/held-keys.ts';
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

  /**
   * Resolves when all changes are taken over, but for those that wait or that no message can hold: these are in `letters`. Throws KAFKA_MESSAGE where
   * none may be set aside, TARGET_DEAD_LETTERS.
   */
  async publish(changes: readonly Change[], letters: HeldDraft, signal: AbortSignal): Promise<void> {
    const nowMs = Date.now();
    let table: PublishedTable | undefined;
    let { holds } = letters;
    for (const change of changes) {
      if (holds && !letters.admits(change)) continue;
      if (!isRowChange(change)) {
        await this.#barrier(change, nowMs, signal);
        continue;
      }
      if (table?.table !== change.table) table = await this.#table(change.table, signal);
      let outcome = this.#offer(table, change, nowMs);
      if (outcome === true) continue;
      if (outcome !== false) {
        // What the topic takes may have been raised since.
        table = await this.#tables.renew(table, signal);
        outcome = this.#offer(table, change, nowMs);
      }
      const to = table;
      if (outcome === false) await this.#afterFlush(() => this.#row(to, change, nowMs), signal);
      else if (outcome !== true) {
        if (!letters.sets) throw outcome;
        letters.refuse(change, outcome);
        ({ holds } = letters);
      }
    }
  }

  /** Why one of these changes cannot be published; null where all can. */
  async refusal(changes: readonly RowChange[], signal: AbortSignal): Promise<LockstepError | null> {
    const nowMs = Date.now();
    for (const change of changes) {
      const table = await this.#table(change.table, signal);
      try {
        for (const part of isMove(table.table, change) ? moved(change) : [change]) this.#encode(table, part, nowMs);
      } catch (error) {
        return refusalOf(error);
      }
    }
    return null;
  }

  async #table(table: TableSchema, signal: AbortSignal): Promise<PublishedTable> {
    return this.#tables.get(table) ?? (await this.#tables.open(table, signal));
  }

  /** As `#row`, or why no message can hold the row: then nothing of it was taken over. */
  #offer(to: PublishedTable, change: RowChange, nowMs: number): boolean | LockstepError {
    try {
      return this.#row(to, change, nowMs);
    } catch (error) {
      return refusalOf(error);
    }
  }

  /**
   * False where a record has no room: the caller flushes and asks again for the whole change. Of a delete and its tombstone the first
   * may then be sent twice, which deletes what is deleted.
   */
  #row(to: PublishedTable, change: RowChange, nowMs: number): boolean {
    if (!isMove(to.table, change)) return this.#record(to, change, nowMs);
    const [removal, insertion] = moved(change);
    // First, so that no delete is published without it.
    this.#encode(to, insertion, nowMs);
    return this.#record(to, removal, nowMs) && this.#record(to, insertion, nowMs);
  }

  #record(to: PublishedTable, change: RowChange, nowMs: number): boolean {
    const keyEnd = this.#encode(to, change, nowMs);
    const keyed = to.table.key.length > 0;
    const { buffer, length } = this.#writer;
    const partition = keyed ? partitionOf(buffer, HEADER_BYTES, keyEnd, to.leaders.length) : 0;
    if (!this.#publisher.append(to, partition, buffer, 0, keyEnd, keyEnd, length, null)) return false;
    if (change.kind !== 'delete' || !keyed) return true;
    return this.#publisher.append(to, partition, buffer, 0, keyEnd, keyEnd, keyEnd, null);
  }

  /** Key and value, one behind the other; gives where the key ends. Throws KAFKA_MESSAGE. */
  #encode(to: PublishedTable, change: RowChange, nowMs: number): number {
    const writer = this.#writer;
    writer.reset();
    if (to.table.key.length > 0) to.encoder.key(change.after ?? change.before, writer);
    const keyEnd = writer.length;
    to.encoder.value(change, writer, nowMs);
    if (writer.length + BATCH_OVERHEAD > to.maxBytes) throw tooLarge(to, writer.length);
    return keyEnd;
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

type Update = Extract<RowChange, { kind: 'update' }>;

/** Whether a row gets another key. */
function isMove({ key }: TableSchema, change: RowChange): change is Update {
  if (change.kind !== 'update') return false;
  for (const column of key) {
    if (!isSameAt(change.before, change.after, column)) return true;
  }
  return false;
}

function moved({ table, before, after, at }: Update): readonly [RowChange, RowChange] {
  return [
    { kind: 'delete', table, before, after: null, at },
    { kind: 'insert', table, before: null, after, at },
  ];
}

/** Errors about the row alone are an answer; others are thrown on. */
function refusalOf(error: unknown): LockstepError {
  if (error instanceof LockstepError && error.code === 'KAFKA_MESSAGE') return error;
  throw error;
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
