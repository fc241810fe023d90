import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RowChange, Values } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import { copyRows, stageRows } from '../../../../sinks/postgres/copy.ts';
import { targetType } from '../../../../sinks/postgres/types.ts';
import { tableWriter, type TableWriter } from '../../../../sinks/postgres/writer.ts';
import { column, int, read, table } from '../../../contract/changes.ts';
import { edges } from '../../../contract/target-types.ts';
import { packed } from '../../../support/packed.ts';

function writerOf(...types: readonly ColumnType[]): TableWriter {
  const columns = [column('id', int), ...types.map((type, i) => column(`c${String(i)}`, type))];
  const existing = columns.map(({ name, type }) => [name, { type: targetType(type, null), generated: false }] as const);
  return tableWriter(table('t', columns, ['id']), {
    columns: new Map(existing),
  } as unknown as Parameters<typeof tableWriter>[1]);
}

const textOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString('utf8');

/** The change with its row still in bytes. */
function packedRead({ table: schema }: TableWriter, row: Values): RowChange {
  return read(schema, packed(schema, row));
}

describe('a row that still lies in its bytes', () => {
  it.each(edges.map(({ declared, type, values }) => [declared, type, values] as const))(
    'of type %s is copied as its values are',
    (_, type, values) => {
      const writer = writerOf(type);
      const rows = [...values, null].map((value, id) => [id, value]);
      const plain = textOf(
        copyRows(
          writer,
          rows.map((row) => read(writer.table, row)),
        ),
      );
      expect(
        textOf(
          copyRows(
            writer,
            rows.map((row) => packedRead(writer, row)),
          ),
        ),
      ).toBe(plain);
    },
  );

  it('is escaped wherever its text needs it', () => {
    const writer = writerOf({ kind: 'text' }, { kind: 'json' }, { kind: 'text' });
    const odd = fc.array(fc.constantFrom('\\', '\t', '\n', '\r', 'a', 'ž', '日', '\u0001', '"'), { maxLength: 12 });
    const texts = odd.map((characters) => characters.join(''));
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, texts, texts), { minLength: 1, maxLength: 5 }), (all) => {
        const rows = all.map(([a, b, c], id) => [id, a, JSON.stringify({ [b]: c }), c]);
        const plain = textOf(
          copyRows(
            writer,
            rows.map((row) => read(writer.table, row)),
          ),
        );
        expect(
          textOf(
            copyRows(
              writer,
              rows.map((row) => packedRead(writer, row)),
            ),
          ),
        ).toBe(plain);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [{ kind: 'text' }, 'a\0b'],
    [{ kind: 'json' }, '"a\\u0000b"'],
  ] satisfies [ColumnType, string][])(
    'is refused like its values where PostgreSQL cannot hold it (%o)',
    (type, value) => {
      const writer = writerOf(type);
      for (const change of [read(writer.table, [1, value]), packedRead(writer, [1, value])])
        expect(() => textOf(copyRows(writer, [change]))).toThrow(
          expect.objectContaining({ code: 'TARGET_VALUE_UNSUPPORTED', message: expect.stringContaining('key ("id")') }),
        );
    },
  );

  it('holds no zero date, and JSON that only looks like U+0000 is kept', () => {
    const writer = writerOf({ kind: 'datetime', digits: 0 }, { kind: 'json' });
    const row = [1, '0000-00-00 00:00:00', '"\\\\u0000"'];
    expect(textOf(copyRows(writer, [packedRead(writer, row)]))).toBe('1\t\\N\t"\\\\\\\\u0000"\n');
  });

  it('is staged with its operation, and of a delete the key alone', () => {
    const writer = writerOf({ kind: 'text' });
    const changes = {
      deletes: [packedRead(writer, [1, 'gone'])],
      upserts: [packedRead(writer, [2, 'b'])],
      updates: [],
    };
    expect(textOf(stageRows(writer, changes))).toBe('d\t1\t\\N\nu\t2\tb\n');
  });
});
