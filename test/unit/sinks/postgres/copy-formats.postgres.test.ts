import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as fc from 'fast-check';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Value } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import { binaryFormat } from '../../../../sinks/postgres/copy-binary.ts';
import { textFormat } from '../../../../sinks/postgres/copy-text.ts';
import { type CopyFormat, copyRows } from '../../../../sinks/postgres/copy.ts';
import { targetType } from '../../../../sinks/postgres/types.ts';
import { type TableWriter, tableWriter } from '../../../../sinks/postgres/writer.ts';
import { column, int, read, table } from '../../../contract/changes.ts';
import { packed } from '../../../support/packed.ts';
import { samples } from '../../codec/tables.ts';
import { Beside } from './server.ts';

const ROWS = 300;

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
  await db.query('CREATE SCHEMA shop');
});
afterAll(() => db[Symbol.asyncDispose]());

it.each(samples.map((sample) => [sample.declared, sample] as const))(
  'a %s is the same in PostgreSQL whether it is copied as text or in binary form',
  async (_, { type, values }) => {
    const rows = fc
      .sample(
        values.filter((value) => fits(type, value)),
        ROWS,
      )
      .map((value, id) => [id, id % 50 === 7 ? null : value]);
    const [asText, asBinary] = [await newTable(), await newTable()];
    await copyInto(asText, textFormat);
    await copyInto(asBinary, binaryFormat);
    const contents = async ({ table: { name } }: TableWriter): Promise<unknown> =>
      await db.query(`SELECT t.id, t.v FROM shop.${name} t ORDER BY id`);
    expect(await contents(asBinary)).toEqual(await contents(asText));

    async function newTable(): Promise<TableWriter> {
      const schema = table(db.name(), [column('id', int), column('v', type, { nullable: true })], ['id']);
      await db.query(`CREATE TABLE shop.${schema.name} (id integer PRIMARY KEY, v ${targetType(type, null)})`);
      const columns = schema.columns.map(
        ({ name, type: own }) => [name, { type: targetType(own, null), generated: false }] as const,
      );
      return tableWriter(schema, { columns: new Map(columns) } as unknown as Parameters<typeof tableWriter>[1]);
    }

    async function copyInto(writer: TableWriter, format: CopyFormat): Promise<void> {
      const client = await db.pool.connect();
      try {
        const changes = rows.map((row, i) => read(writer.table, i % 2 === 0 ? row : packed(writer.table, row)));
        const pieces = Readable.from(copyRows({ ...writer, format }, changes));
        const statement = writer.copy.replace(binaryFormat.clause, format.clause);
        await pipeline(pieces, client.query(copyFrom(statement)));
      } finally {
        client.release();
      }
    }
  },
);

/** U+0000 and the year 0 are for the policies; and what is no geometry, or longer than its type, no source sends. */
function fits(type: ColumnType, value: Value): boolean {
  if (type.kind === 'geometry') return value instanceof Uint8Array && value.length > 9;
  if (typeof value !== 'string') return true;
  if (type.kind === 'char' && [...value].length > type.length) return false;
  return !(value.includes('\0') || value.includes('\\u0000') || value.startsWith('0000'));
}
