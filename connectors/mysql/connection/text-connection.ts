import { format } from 'mysql2';
import { LockstepError } from '../../../core/errors.ts';
import type { Asker, TextRow } from './session.ts';
import { sourceError } from './errors.ts';
import { Cursor } from '../binlog/cursor.ts';
import type { Wire } from './wire.ts';

const comQuery = 0x03;
const nullMark = 0xfb;

/** Takes one row of a result: `cursor` stands at its first value; each is a length-encoded string or 0xfb for NULL. */
export type RowReader = (cursor: Cursor) => void;

/** A connection that reads large results row by row, straight from the packets. One statement at a time. */
export class TextConnection implements Asker {
  readonly where: string;
  readonly #wire: Wire;
  readonly #cursor = new Cursor();
  #open = false;

  constructor(wire: Wire, where: string) {
    this.#wire = wire;
    this.where = where;
  }

  async query(sql: string, signal: AbortSignal, values: readonly unknown[] = []): Promise<TextRow[]> {
    const rows: TextRow[] = [];
    let names: string[] = [];
    const read: RowReader = (cursor) => rows.push(Object.fromEntries(names.map((name) => [name, readText(cursor)])));
    const statement = format(sql, values.map(sqlValue));
    names = await this.start(statement, signal);
    let more = true;
    while (more) more = await this.rows(read, Number.MAX_SAFE_INTEGER, signal);
    return rows;
  }

  /** Sends a statement and reads up to its first row; returns the column names, none for a statement without a result. */
  async start(statement: string, signal: AbortSignal): Promise<string[]> {
    this.#wire.send(Buffer.concat([Buffer.of(comQuery), Buffer.from(statement)]));
    await this.#next(signal);
    this.#refuse(statement);
    const cursor = this.#cursor;
    const count = cursor.lenenc();
    this.#open = count > 0;
    const names: string[] = [];
    for (let i = 0; i < count; i += 1) {
      await this.#next(signal);
      for (let skipped = 0; skipped < 4; skipped += 1) cursor.skip(cursor.lenenc());
      names.push((readText(cursor) ?? '').toLowerCase());
    }
    if (count > 0) await this.#next(signal);
    return names;
  }

  /**
   * Reads rows until about `maxBytes` of them have come; false once the result has ended.
   */
  async rows(read: RowReader, maxBytes: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#open) return false;
    const { packet } = this.#wire;
    const cursor = this.#cursor;
    let taken = 0;
    for (;;) {
      while (taken < maxBytes && this.#wire.next()) {
        const { bytes, start, end } = packet;
        const mark = bytes[start] ?? 0;
        cursor.set(bytes, start, end);
        if (mark === 0xff) this.#refuse('reading rows');
        if (mark === 0xfe && end - start < 9) {
          this.#open = false;
          return false;
        }
        taken += end - start;
        read(cursor);
      }
      if (taken >= maxBytes) return true;
      await this.#wire.arrived(signal);
    }
  }

  destroy(): void {
    this.#wire.destroy();
  }

  async #next(signal: AbortSignal): Promise<void> {
    while (!this.#wire.next()) await this.#wire.arrived(signal);
    const { bytes, start, end } = this.#wire.packet;
    this.#cursor.set(bytes, start, end);
  }

  #refuse(doing: string): void {
    const { bytes, start, end } = this.#wire.packet;
    if (bytes[start] !== 0xff) return;
    const error = Object.assign(new Error(bytes.toString('utf8', start + 9, end)), {
      errno: bytes.readUInt16LE(start + 1),
    });
    throw sourceError(error, this.where, doing.slice(0, 80));
  }
}

function sqlValue(value: unknown): string | number | string[] | null {
  if (typeof value === 'string' || typeof value === 'number') return value;
  return Array.isArray(value) ? value.map(String) : null;
}

function readText(cursor: Cursor): string | null {
  if (cursor.bytes[cursor.at] === nullMark) {
    cursor.skip(1);
    return null;
  }
  return cursor.text(cursor.lenenc());
}

/** Reads the next value's length; -1 for NULL. */
export function readLength(cursor: Cursor): number {
  if (cursor.bytes[cursor.at] !== nullMark) return cursor.lenenc();
  cursor.skip(1);
  return -1;
}

export function requireEnd(cursor: Cursor, where: string): void {
  if (cursor.at !== cursor.end)
    throw new LockstepError('BUG', `${where}: a result row has more columns than were asked for`);
}
