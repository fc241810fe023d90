import { Bytes } from '../../core/bytes.ts';
import type { Row, RowChange } from '../../core/contracts.ts';
import { PackedRow, valueAt } from '../../core/row.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { type Field, type TableWriter, refusal, rowOf } from './writer.ts';

/** A piece is sent when it has about this size, so that it costs little beside its bytes. */
const PIECE_BYTES = 256 * 1024;
/** Room for the row that goes beyond it; a longer one makes the piece grow. */
const SLACK_BYTES = 16 * 1024;

const TAB = 0x09;
const NEWLINE = 0x0a;

/** COPY text of whole rows, for `writer.copy`. */
export function* copyRows(writer: TableWriter, changes: Iterable<RowChange>, onChanged?: OnChanged): Generator<Buffer> {
  const out = new Pieces();
  for (const change of changes) {
    appendRow(out.bytes, writer, rowOf(change), change, onChanged);
    if (out.isFull) yield out.take();
  }
  yield out.take();
}

/** COPY text for `writer.stage`; `deletes` have their key columns only. */
export function* stageRows(
  writer: TableWriter,
  changes: Record<'deletes' | 'upserts' | 'updates', Iterable<RowChange>>,
  onChanged?: OnChanged,
): Generator<Buffer> {
  const out = new Pieces();
  for (const change of changes.deletes) {
    appendKey(out.bytes, writer, change.before ?? rowOf(change), change);
    if (out.isFull) yield out.take();
  }
  for (const [operation, rows] of [
    ['u\t', changes.upserts],
    ['x\t', changes.updates],
  ] as const) {
    for (const change of rows) {
      out.bytes.ascii(operation);
      appendRow(out.bytes, writer, rowOf(change), change, onChanged);
      if (out.isFull) yield out.take();
    }
  }
  yield out.take();
}

/** Text in pieces: a piece that was taken is the socket's, and the next one has a buffer of its own. */
class Pieces {
  bytes = new Bytes(PIECE_BYTES + SLACK_BYTES);

  get isFull(): boolean {
    return this.bytes.length >= PIECE_BYTES;
  }

  take(): Buffer {
    const { buffer, length } = this.bytes;
    this.bytes = new Bytes(PIECE_BYTES + SLACK_BYTES);
    return buffer.subarray(0, length);
  }
}

function appendRow(out: Bytes, writer: TableWriter, row: Row, change: RowChange, onChanged?: OnChanged): void {
  const { fields } = writer;
  try {
    for (let n = 0; n < fields.length; n += 1) {
      const field = fields[n];
      if (field === undefined) continue;
      if (n > 0) out.byte(TAB);
      appendField(out, field, row, onChanged);
    }
  } catch (error) {
    throw refusal(writer, change, error);
  }
  out.byte(NEWLINE);
}

function appendKey(out: Bytes, writer: TableWriter, row: Row, change: RowChange): void {
  out.ascii('d');
  try {
    for (const field of writer.fields) {
      out.byte(TAB);
      if (field.key) appendField(out, field, row);
      else out.ascii('\\N');
    }
  } catch (error) {
    throw refusal(writer, change, error);
  }
  out.byte(NEWLINE);
}

/** From the row's bytes where the column can be printed and needs nothing but escapes; else by way of its value. */
function appendField(out: Bytes, field: Field, row: Row, onChanged?: OnChanged): void {
  const { index, carry } = field;
  if (carry !== null && row instanceof PackedRow) {
    const from = out.length;
    if (row.isNull(index)) {
      out.ascii('\\N');
      return;
    }
    if (row.print(index, out) && carry(out, from)) return;
    out.length = from;
  }
  out.text(field.copy(valueAt(row, index), onChanged));
}
