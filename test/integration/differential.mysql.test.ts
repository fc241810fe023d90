import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowChange } from '../../core/contracts.ts';
import { valuesOf, type Row } from '../../core/row.ts';
import type { RowDataPacket } from 'mysql2/promise';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { flavours, openClient, runSource } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { createRandomTables } from '../support/tables.ts';
import { RandomWriter } from '../support/writer.ts';
import { commonText, readWithZongji, type OtherChange, type Stretch } from '../support/zongji.ts';

const DATABASE = 'both';

describe.each(flavours)(`a random log of %s, seed ${String(seed)}`, (flavour) => {
  const stack = new AsyncDisposableStack();
  let source: Server;

  beforeAll(async () => {
    source = stack.use(await startServer(flavour, { fast: true, own: true }));
  });
  afterAll(() => stack.disposeAsync());

  it('is read as another reader reads it, change by change and value by value', async () => {
    const tables = await createRandomTables(source.url, {
      database: DATABASE,
      seed,
      tables: 12,
      rows: 5,
      withoutKey: true,
    });
    const run = { url: source.url, tables: [`${DATABASE}.*`], server: new MemoryServer() };
    await runSource(run);
    const from = await end();
    await new RandomWriter(source.url, tables, { seed, transactions: 400 }).finished();
    const to = await end();

    const ours: RowChange[] = [];
    await runSource({
      ...run,
      before: (_, { changes }) => {
        for (const change of changes) if ('after' in change && change.kind !== 'schema') ours.push(change);
      },
    });
    const theirs = await readWithZongji(source.url, DATABASE, { from, to });

    expect(ours.length).toBeGreaterThan(500);
    expect(ours.map(shownOurs)).toEqual(theirs.map((change, i) => shownTheirs(change, ours[i])));
  });

  async function end(): Promise<Stretch['from']> {
    await using client = await openClient(source.url);
    const [[row]] = await client.query<RowDataPacket[]>(
      flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    );
    return { file: String(row?.['File']), offset: Number(row?.['Position']) };
  }
});

type Shown = readonly [kind: string, origin: string, before: unknown, after: unknown];

function shownOurs({ kind, table, before, after }: RowChange): Shown {
  const shown = (row: Row | null): unknown =>
    row === null
      ? null
      : valuesOf(row).map((value, i) => commonText(table.columns[i]?.type ?? { kind: 'text' }, value));
  return [kind, table.origin, shown(before), shown(after)];
}

/** In the order and by the types of our columns. */
function shownTheirs({ kind, origin, before, after }: OtherChange, ours: RowChange | undefined): Shown {
  const shown = (row: OtherChange['before']): unknown =>
    row === null ? null : ours?.table.columns.map(({ name, type }) => commonText(type, row[name]));
  return [kind, origin, shown(before), shown(after)];
}
