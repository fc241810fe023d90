import { Bytes } from '../../core/bytes.ts';
import type { Row, RowChange } from '../../core/contracts.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { type Field, type TableWriter, refusal, rowOf } from './writer.ts';

/** What a staged row is for: its key is deleted, it is inserted or replaces the row of its key, or it replaces that row if it is there. */
export type Operation = 'd' | 'u' | 'x';

/** How rows lie in what COPY reads. */
export interface CopyFormat {
  /** What the statement ends with. */
  readonly clause: string;
  begin(out: Bytes): void;
  /** Appends a row, of a delete the key alone. Without an operation (`''`) it goes straight into its table. Errors: as of `Encoder`. */
  row(out: Bytes, fields: readonly Field[], row: Row, operation: Operation | '', onChanged?: OnChanged): void;
  end(out: Bytes): void;
}

/** A piece is sent when it has about this size, so that it costs little beside its bytes. */
const PIECE_BYTES = 256 * 1024;
/** Room for the row that goes beyond it; a longer one makes the piece grow. */
const SLACK_BYTES = 16 * 1024;

/** Whole rows, for `writer.copy`. */
export function* copyRows(writer: TableWriter, changes: Iterable<RowChange>, onChanged?: OnChanged): Generator<Buffer> {
  const out = new Pieces(writer, onChanged);
  yield* out.rows(changes, '');
  yield out.last();
}

/** Rows for `writer.stage`. */
export function* stageRows(
  writer: TableWriter,
  changes: Record<'deletes' | 'upserts' | 'updates', Iterable<RowChange>>,
  onChanged?: OnChanged,
): Generator<Buffer> {
  const out = new Pieces(writer, onChanged);
  yield* out.rows(changes.deletes, 'd');
  yield* out.rows(changes.upserts, 'u');
  yield* out.rows(changes.updates, 'x');
  yield out.last();
}

/** Rows in pieces: a piece that was handed on is the socket's, and the next one has a buffer of its own. */
class Pieces {
  readonly #writer: TableWriter;
  readonly #onChanged: OnChanged | undefined;
  #bytes = new Bytes(PIECE_BYTES + SLACK_BYTES);

  constructor(writer: TableWriter, onChanged: OnChanged | undefined) {
    this.#writer = writer;
    this.#onChanged = onChanged;
    writer.format.begin(this.#bytes);
  }

  *rows(changes: Iterable<RowChange>, operation: Operation | ''): Generator<Buffer> {
    const { format, fields } = this.#writer;
    for (const change of changes) {
      const row = operation === 'd' ? (change.before ?? rowOf(change)) : rowOf(change);
      try {
        format.row(this.#bytes, fields, row, operation, operation === 'd' ? undefined : this.#onChanged);
      } catch (error) {
        throw refusal(this.#writer, change, error);
      }
      if (this.#bytes.length < PIECE_BYTES) continue;
      yield this.#piece();
      this.#bytes = new Bytes(PIECE_BYTES + SLACK_BYTES);
    }
  }

  last(): Buffer {
    this.#writer.format.end(this.#bytes);
    return this.#piece();
  }

  #piece(): Buffer {
    const { buffer, length } = this.#bytes;
    return buffer.subarray(0, length);
  }
}
