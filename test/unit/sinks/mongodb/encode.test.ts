import { BSON, MongoClient } from 'mongodb';
import { expect, it } from 'vitest';
import { Bytes } from '../../../../core/bytes.ts';
import type { Values } from '../../../../core/contracts.ts';
import { destinations } from '../../../../sinks/mongodb/destination.ts';
import { encode } from '../../../../sinks/mongodb/encode.ts';
import type { KeyedWrite } from '../../../../sinks/mongodb/fold.ts';
import { RowsRefused } from '../../../../sinks/mongodb/refused.ts';
import { type Expect, keyedStatements } from '../../../../sinks/mongodb/statements.ts';
import { column, int, table, text } from '../../../contract/changes.ts';

const client = new MongoClient('mongodb://127.0.0.1');
const connection = { client, server: '', database: null, metadata: client.db('lockstep'), transactions: true };
const t = table(
  't',
  [column('id', int), column('v', text), column('d', { kind: 'date' }, { nullable: false })],
  ['id'],
);
const to = destinations(connection)(t);
const day = '2020-01-01';

function write(fate: KeyedWrite['fate'], ...row: Values): KeyedWrite {
  return { fate, to, row };
}

/** The commands, and their statements as the server reads them. */
function encoded(writes: readonly KeyedWrite[], expected: Expect) {
  const out = new Bytes(1);
  const commands = encode(out, writes, keyedStatements(expected), () => undefined);
  return commands.map(({ command, first, count, start, end }) => {
    const statements: unknown[] = [];
    for (let at = start; at < end; at += out.buffer.readInt32LE(at))
      statements.push(BSON.deserialize(out.buffer.subarray(at, at + out.buffer.readInt32LE(at))));
    expect(statements).toHaveLength(count);
    return { command, first, statements };
  });
}

it('makes one command of neighbours of a kind', () => {
  const writes = [
    write('delete', 1, null, day),
    write('insert', 2, 'a', day),
    write('replace', 3, 'b', day),
    write('update', 4, 'c', day),
  ];
  const document = (id: number, v: string) => ({ _id: id, id, v, d: new Date(day) });
  const two = { q: { _id: 2 }, u: document(2, 'a'), upsert: true };
  const three = { q: { _id: 3 }, u: document(3, 'b'), upsert: true };
  const four = { q: { _id: 4 }, u: document(4, 'c'), upsert: false };
  const one = { command: 'delete', first: 0, statements: [{ q: { _id: 1 }, limit: 1 }] };
  expect(encoded(writes, 'new')).toEqual([
    one,
    { command: 'insert', first: 1, statements: [document(2, 'a')] },
    { command: 'update', first: 2, statements: [three, four] },
  ]);
  expect(encoded(writes, 'any')).toEqual([one, { command: 'update', first: 1, statements: [two, three, four] }]);
});

it('makes commands that a message can hold', () => {
  const writes = Array.from({ length: 5 }, (_, id) => write('insert', id, 'x'.repeat(9 << 20), day));
  expect(encoded(writes, 'new').map(({ first, statements }) => [first, statements.length])).toEqual([
    [0, 2],
    [2, 2],
    [4, 1],
  ]);
});

it('names all rows that cannot be written, before anything is', () => {
  const writes = [
    write('insert', 1, 'a', '0000-00-00'),
    write('insert', 2, 'b', day),
    write('replace', 3, 'x'.repeat(16 << 20), day),
  ];
  const refused = (): unknown => {
    try {
      return encode(new Bytes(1), writes, keyedStatements('new'), () => undefined);
    } catch (error) {
      return error instanceof RowsRefused ? error.refused : error;
    }
  };
  expect(refused()).toMatchObject([
    { write: writes[0], error: { code: 'TARGET_VALUE_UNSUPPORTED' } },
    { write: writes[2], error: { code: 'TARGET_ROW_REFUSED' } },
  ]);
});
