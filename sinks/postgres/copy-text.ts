import type { Bytes } from '../../core/bytes.ts';
import type { Row } from '../../core/contracts.ts';
import { PackedRow, valueAt } from '../../core/row.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import type { CopyFormat } from './copy.ts';
import type { Field } from './writer.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;

/** COPY's text format, which takes every type that has an input function. */
export const textFormat: CopyFormat = {
  clause: '',
  begin: () => undefined,
  row(out, fields, row, operation, onChanged) {
    out.ascii(operation);
    let isFirst = operation === '';
    for (const field of fields) {
      if (!isFirst) out.byte(TAB);
      isFirst = false;
      if (operation === 'd' && !field.key) out.ascii('\\N');
      else appendField(out, field, row, onChanged);
    }
    out.byte(NEWLINE);
  },
  end: () => undefined,
};

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
