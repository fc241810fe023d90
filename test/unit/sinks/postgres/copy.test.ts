import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RowChange, Values } from '../../../../core/contracts.ts';
import type { ColumnType } from '../../../../core/table.ts';
import { binaryFormat } from '../../../../sinks/postgres/copy-binary.ts';
import { textFormat } from '../../../../sinks/postgres/copy-text.ts';
import { type CopyFormat, copyRows, stageRows } from '../../../../sinks/postgres/copy.ts';
import { targetType } from '../../../../sinks/postgres/types.ts';
import { tableWriter, type TableWriter } from '../../../../sinks/postgres/writer.ts';
import { column, int, read, table } from '../../../contract/changes.ts';
import { edges } from '../../../contract/target-types.ts';
import { packed } from '../../../support/packed.ts';

const formats = [
  ['binary', binaryFormat],
  ['text', textFormat],
] as const;

function writerOf(format: CopyFormat, ...types: readonly ColumnType[]): TableWriter {
  const columns = [column('id', int), ...types.map((type, i) => column(`c${String(i)}`, type))];
  const existing = columns.map(({ name, type }) => [name, { type: targetType(type, null), generated: false }] as const);
  const writer = tableWriter(table('t', columns, ['id']), {
    columns: new Map(existing),
  } as unknown as Parameters<typeof tableWriter>[1]);
  expect(writer.format).toBe(binaryFormat);
  return { ...writer, format };
}

const bytesOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString('latin1');
const textOf = (pieces: Iterable<Buffer>): string => Buffer.concat([...pieces]).toString('utf8');

/** The change with its row still in bytes. */
function packedRead({ table: schema }: TableWriter, row: Values): RowChange {
  return read(schema, packed(schema, row));
}

describe.each(formats)('a row that still lies in its bytes, copied as %s', (_, format) => {
  it.each(edges.map(({ declared, type, values }) => [declared, type, values] as const))(
    'is of type %s as its values are',
    (_, type, values) => {
      const writer = writerOf(format, type);
      const rows = [...values, null].map((value, id) => [id, value]);
      const plain = bytesOf(
        copyRows(
          writer,
          rows.map((row) => read(writer.table, row)),
        ),
      );
      expect(
        bytesOf(
          copyRows(
            writer,
            rows.map((row) => packedRead(writer, row)),
          ),
        ),
      ).toBe(plain);
    },
  );

  it('is escaped wherever its text needs it', () => {
    const writer = writerOf(format, { kind: 'text' }, { kind: 'json' }, { kind: 'text' });
    const odd = fc.array(fc.constantFrom('\\', '\t', '\n', '\r', 'a', 'ž', '日', '\u0001', '"'), { maxLength: 12 });
    const texts = odd.map((characters) => characters.join(''));
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, texts, texts), { minLength: 1, maxLength: 5 }), (all) => {
        const rows = all.map(([a, b, c], id) => [id, a, JSON.stringify({ [b]: c }), c]);
        const plain = bytesOf(
          copyRows(
            writer,
            rows.map((row) => read(writer.table, row)),
          ),
        );
        expect(
          bytesOf(
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
      const writer = writerOf(format, type);
      for (const change of [read(writer.table, [1, value]), packedRead(writer, [1, value])])
        expect(() => bytesOf(copyRows(writer, [change]))).toThrow(
          expect.objectContaining({ code: 'TARGET_VALUE_UNSUPPORTED', message: expect.stringContaining('key ("id")') }),
        );
    },
  );
});

describe('a row that still lies in its bytes', () => {
  it('holds no zero date, and JSON that only looks like U+0000 is kept', () => {
    const writer = writerOf(textFormat, { kind: 'datetime', digits: 0 }, { kind: 'json' });
    const row = [1, '0000-00-00 00:00:00', '"\\\\u0000"'];
    expect(textOf(copyRows(writer, [packedRead(writer, row)]))).toBe('1\t\\N\t"\\\\\\\\u0000"\n');
  });

  it('is staged with its operation, and of a delete the key alone', () => {
    const writer = writerOf(textFormat, { kind: 'text' });
    const changes = {
      deletes: [packedRead(writer, [1, 'gone'])],
      upserts: [packedRead(writer, [2, 'b'])],
      updates: [],
    };
    expect(textOf(stageRows(writer, changes))).toBe('d\t1\t\\N\nu\t2\tb\n');
  });
});
