import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../core/contracts.ts';
import { seeded } from '../../dev/random.ts';
import { startServer } from '../../dev/servers/index.ts';
import { MemoryServer } from '../support/memory-target.ts';
import { rowText } from '../support/memory-table.ts';
import { matrixColumns, type MatrixColumn } from '../support/mysql-columns.ts';
import { flavours, openClient, runSource } from '../support/mysql-run.ts';

const randomRows = 150;
const seed = Number(process.env['LOCKSTEP_TEST_SEED'] ?? Date.now() % 1_000_000);

describe.each(flavours)('values of %s', (flavour) => {
  const stack = new AsyncDisposableStack();
  const columns = matrixColumns(flavour);
  const server = new MemoryServer();
  let streamed: readonly Row[] = [];
  let copied: readonly Row[] = [];

  beforeAll(async () => {
    const source = stack.use(await startServer(flavour, { fast: true }));
    const client = await openClient(source.url, "sql_mode = '', default_storage_engine = InnoDB");
    stack.defer(() => client.destroy());
    await createMatrix(client, columns);
    const run = { url: source.url, tables: ['matrix.*'], server };
    await runSource({ ...run, pipeline: 'streamed' });
    await fillMatrix(client, columns);
    await runSource({ ...run, pipeline: 'streamed' });
    streamed = byId(server.rows({ database: 'matrix', name: 'cells' }));
    await runSource({ ...run, pipeline: 'copied' });
    copied = byId(server.rows({ database: 'matrix', name: 'cells' }));
  });
  afterAll(() => stack.disposeAsync());

  it('reaches every row both ways', () => {
    const edges = Math.max(...columns.map((column) => column.edges.length));
    expect(streamed).toHaveLength(edges + randomRows + 1);
    expect(copied).toHaveLength(edges + randomRows + 1);
    expect(server.copied.get('matrix.cells')).toBe(edges + randomRows + 1);
  });

  it.each(columns.map((column, i) => [i, column.sql.slice(0, 60), column] as const))(
    'gives column %i, %s, one value by snapshot and by stream',
    (i, _, { expected = [] }) => {
      const cells = (rows: readonly Row[]): string[] => rows.map((row) => rowText([row[i + 1] ?? null]).slice(0, 300));
      expect(cells(streamed), `seed ${seed}`).toEqual(cells(copied));
      expect(cells(streamed.slice(0, expected.length))).toEqual(
        expected.map((value) => rowText([value]).slice(0, 300)),
      );
      const whole = (rows: readonly Row[]): string => rows.map((row) => rowText([row[i + 1] ?? null])).join('\n');
      expect(whole(streamed) === whole(copied), `long values, seed ${seed}`).toBe(true);
    },
  );
});

const byId = (rows: readonly Row[]): Row[] => rows.toSorted((a, b) => Number(a[0]) - Number(b[0]));

async function createMatrix(client: Connection, columns: readonly MatrixColumn[]): Promise<void> {
  const definitions = columns.map(({ sql }, i) => `c${i} ${sql}`);
  await client.query('CREATE DATABASE matrix CHARACTER SET utf8mb4');
  await client.query(`CREATE TABLE matrix.cells (id INT PRIMARY KEY, ${definitions.join()}) ROW_FORMAT=DYNAMIC`);
}

/** Row i holds each column's i-th edge (the first again where it has fewer), then come random rows and one of NULLs. */
async function fillMatrix(client: Connection, columns: readonly MatrixColumn[]): Promise<void> {
  const random = seeded(seed);
  const written = columns.flatMap((column, i) => (column.computed ? [] : [{ column, name: `c${i}` }]));
  const names = written.map(({ name }) => name).join();
  const insert = async (id: number, values: readonly string[]): Promise<void> => {
    await client.query(`INSERT INTO matrix.cells (id, ${names}) VALUES (${id}, ${values.join()})`);
  };
  const edges = Math.max(...columns.map((column) => column.edges.length));
  for (let id = 0; id < edges; id += 1)
    await insert(
      id,
      written.map(({ column }) => column.edges[id] ?? column.edges[0] ?? 'NULL'),
    );
  for (let id = edges; id < edges + randomRows; id += 1)
    await insert(
      id,
      written.map(({ column }) => (random.chance(0.2) ? 'NULL' : column.random(random))),
    );
  await insert(
    edges + randomRows,
    written.map(() => 'NULL'),
  );
}
