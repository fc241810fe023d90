import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlSource } from '../../connectors/mysql/source.ts';
import type { Target } from '../../core/contracts.ts';
import { runLoop } from '../../core/loop.ts';
import { Memory } from '../../core/memory.ts';
import { Progress } from '../../core/progress.ts';
import { Transforms } from '../../core/transform.ts';
import { startServer, type Kind, type Server } from '../../dev/servers/index.ts';
import { mongodb } from '../../sinks/mongodb/index.ts';
import { postgres } from '../../sinks/postgres/index.ts';
import { compareAll } from '../../verify/all.ts';
import type { TableResult } from '../../verify/compare.ts';
import { inDatabase } from '../e2e/scene.ts';
import { limits, openSink } from '../integration/kafka/scene.ts';
import { never, openClient } from '../support/mysql-run.ts';
import type { Place } from './exceptions.ts';
import { checkSection } from './page.ts';
import { refusals } from './refusals.ts';
import { exceptionsOf, introduction } from './report.ts';

const servers = new AsyncDisposableStack();
const running = new Map<Kind, Server>();
let client: Connection;
let serial = 0;

beforeAll(async () => {
  const start = async (kind: Kind): Promise<void> =>
    void running.set(kind, servers.use(await startServer(kind, { fast: true, own: true })));
  await Promise.all([start('mysql'), start('postgres'), start('mongodb'), start('kafka')]);
  client = await openClient(url('mysql'));
  servers.defer(() => client.destroy());
});
afterAll(() => servers.disposeAsync());

const url = (kind: Kind): string => running.get(kind)?.url ?? '';

/** A database with the one table of a test. */
async function tableOf(column: string): Promise<string> {
  serial += 1;
  const database = `refused_${serial}`;
  await client.query(`CREATE DATABASE ${database}`);
  await client.query(`CREATE TABLE ${database}.cells (id INT PRIMARY KEY, v ${column})`);
  return database;
}

async function open(place: Place, pipeline: string): Promise<Target> {
  const common = { pipeline, target: 'refusing', metadata: 'lockstep', progress: new Progress() };
  if (place === 'avro') return await openSink({ brokers: [url('kafka')], registry: null }, pipeline);
  if (place === 'postgres') return await postgres.open({ ...common, url: url('postgres') });
  return await mongodb.open({ ...common, url: inDatabase(url('mongodb'), pipeline) });
}

/** Runs until caught up. */
async function run(place: Place, pipeline: string): Promise<void> {
  const progress = new Progress();
  const tables = [`${pipeline}.*`];
  const options = { pipeline, target: place, url: url('mysql'), progress, tables, until: 'caught-up' } as const;
  const source = new MysqlSource(options);
  const target = await open(place, pipeline);
  try {
    await runLoop({
      source,
      target,
      transforms: new Transforms([]),
      progress,
      limits,
      memory: new Memory(64 * 1024 * 1024),
      signal: never,
    });
  } finally {
    await source.close();
    await target.close();
  }
}

async function compared(place: 'postgres' | 'mongodb', database: string): Promise<readonly TableResult[]> {
  const to = place === 'postgres' ? url('postgres') : inDatabase(url('mongodb'), database);
  return await compareAll(url('mysql'), to, [`${database}.*`], never);
}

/** The row as it is, or no row: nothing else in its stead. */
async function expectThere(place: Place, database: string, count: Partial<TableResult>): Promise<void> {
  if (place === 'avro') return;
  expect(await compared(place, database)).toMatchObject([{ rows: 1, mismatched: 0, extra: 0, ...count }]);
}

describe.each(refusals)('$column holding $value ($what)', ({ in: place, column, value, code, heldBy }) => {
  it(`stops a copy into ${place} with ${code}`, async () => {
    const database = await tableOf(column);
    await client.query(`INSERT INTO ${database}.cells VALUES (1, ${value})`);
    await expect(run(place, database)).rejects.toMatchObject({ code });
    await expectThere(place, database, { matched: 0, missing: 1 });
  });

  it(`stops the stream into ${place} with ${code}`, async () => {
    const database = await tableOf(column);
    await run(place, database);
    await client.query(`INSERT INTO ${database}.cells VALUES (1, ${value})`);
    await expect(run(place, database)).rejects.toMatchObject({ code });
    await expectThere(place, database, { matched: 0, missing: 1 });
  });

  it.each(heldBy)('is held by %s', async (other) => {
    const database = await tableOf(column);
    await client.query(`INSERT INTO ${database}.cells VALUES (1, ${value})`);
    await run(other, database);
    await expectThere(other, database, { matched: 1, missing: 0 });
  });
});

it('every exception is published', () => {
  checkSection('head', introduction);
  checkSection('exceptions', exceptionsOf());
});
