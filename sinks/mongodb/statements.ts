import { BSON } from 'mongodb';
import type { Bytes } from '../../core/bytes.ts';
import type { Row } from '../../core/contracts.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import { ARRAY, BOOLEAN, beginString, close, DOCUMENT, endString, head, INT, open, STRING } from './bson.ts';
import type { Command } from './command.ts';
import type { Destination } from './destination.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';

/**
 * `new`: rows that should be new are inserted, which is two to ten times as fast as an upsert, and a key that is there already fails the call.
 * `any`: they replace what is there.
 */
export type Expect = 'new' | 'any';

/** How a kind of writes becomes statements of commands. Source: manual, "Database Commands", insert, update, delete. */
export interface Statements<W> {
  command(write: W): Command;
  /** Appends the statement as a document. Errors: as of `Documents`. */
  append(out: Bytes, write: W, onChanged: OnChanged): void;
}

export function keyedStatements(expect: Expect): Statements<KeyedWrite> {
  const command = ({ fate }: KeyedWrite): Command =>
    fate === 'delete' ? 'delete' : fate === 'insert' && expect === 'new' ? 'insert' : 'update';
  return {
    command,
    append(out, write, onChanged) {
      const { to, row } = write;
      const { documents } = to;
      const kind = command(write);
      if (kind === 'insert') return documents.appendDocument(out, row, onChanged);
      const at = open(out);
      head(out, DOCUMENT, 'q');
      documents.appendId(out, row);
      if (kind === 'delete') appendLimit(out);
      else {
        appendReplacement(out, to, row, onChanged);
        head(out, BOOLEAN, 'upsert');
        out.byte(write.fate === 'update' ? 0 : 1);
      }
      close(out, at);
    },
  };
}

export const unkeyedStatements: Statements<UnkeyedWrite> = {
  command: ({ fate }) => (fate === 'replace' ? 'update' : fate),
  append(out, write, onChanged) {
    const { documents } = write.to;
    if (write.fate === 'insert') return documents.appendDocument(out, write.row, onChanged);
    const at = open(out);
    head(out, DOCUMENT, 'q');
    const filter = BSON.serialize(documents.matching(write.before));
    out.copy(filter, 0, filter.length);
    if (write.fate === 'delete') appendLimit(out);
    else appendExchange(out, write.to, write.row, onChanged);
    close(out, at);
  },
};

function appendLimit(out: Bytes): void {
  head(out, INT, 'limit');
  out.int32le(1);
}

/** A new document in place of the one that is found. */
function appendReplacement(out: Bytes, { documents }: Destination, row: Row, onChanged: OnChanged): void {
  if (!documents.dollar) {
    head(out, DOCUMENT, 'u');
    return documents.appendDocument(out, row, onChanged);
  }
  const opened = openAll(out, [
    [ARRAY, 'u'],
    [DOCUMENT, '0'],
    [DOCUMENT, '$replaceWith'],
  ]);
  head(out, DOCUMENT, '$literal');
  documents.appendDocument(out, row, onChanged);
  closeAll(out, opened);
}

/** A document that keeps the `_id` of the one that is found. */
function appendExchange(out: Bytes, { documents }: Destination, row: Row, onChanged: OnChanged): void {
  if (!documents.dollar) {
    head(out, DOCUMENT, 'u');
    return documents.appendValues(out, row, onChanged);
  }
  const merging = openAll(out, [
    [ARRAY, 'u'],
    [DOCUMENT, '0'],
    [DOCUMENT, '$replaceWith'],
    [ARRAY, '$mergeObjects'],
  ]);
  const kept = openAll(out, [[DOCUMENT, '0']]);
  head(out, STRING, '_id');
  const from = beginString(out);
  out.ascii('$_id');
  endString(out, from);
  closeAll(out, kept);
  const values = openAll(out, [[DOCUMENT, '1']]);
  head(out, DOCUMENT, '$literal');
  documents.appendValues(out, row, onChanged);
  closeAll(out, values);
  closeAll(out, merging);
}

type Path = readonly (readonly [type: typeof DOCUMENT | typeof ARRAY, name: string])[];

/** Opens documents and arrays inside each other. */
function openAll(out: Bytes, path: Path): readonly number[] {
  return path.map(([type, name]) => {
    head(out, type, name);
    return open(out);
  });
}

function closeAll(out: Bytes, opened: readonly number[]): void {
  for (const at of opened.toReversed()) close(out, at);
}
