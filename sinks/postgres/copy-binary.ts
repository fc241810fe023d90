import type { CopyFormat } from './copy.ts';

/** Signature, flags, and the length of a header extension. */
const HEADER = Buffer.from('PGCOPY\n\u00ff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = -1;
const NULL = -1;

/**
 * COPY's binary format, which costs PostgreSQL a third less than text: nothing is scanned for escapes and no number or date is parsed.
 * Source: https://www.postgresql.org/docs/current/sql-copy.html, Binary Format.
 */
export const binaryFormat: CopyFormat = {
  clause: ' (FORMAT binary)',
  begin: (out) => out.copy(HEADER, 0, HEADER.length),
  row(out, fields, row, operation, onChanged) {
    out.int16(fields.length + operation.length);
    if (operation !== '') {
      out.int32(operation.length);
      out.ascii(operation);
    }
    for (const { send, index, key } of fields) {
      if (send === null || (operation === 'd' && !key)) out.int32(NULL);
      else send(out, row, index, onChanged);
    }
  },
  end: (out) => out.int16(TRAILER),
};
