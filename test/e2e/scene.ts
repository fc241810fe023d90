import { MongoClient } from 'mongodb';
import type { Connection } from 'mysql2/promise';
import { Client, type QueryResultRow } from 'pg';
import { expect } from 'vitest';
import type { Server } from '../../dev/servers/index.ts';
import { seeded } from '../../dev/random.ts';
import { compareAll, isEqual } from '../../verify/all.ts';
import { shapes, Writers } from '../support/mysql-writers.ts';
import { configFile, lockstep, type Ended } from './cli.ts';
import { seed } from '../support/seed.ts';

const never = new AbortController().signal;

/** One pipeline of a test: everything but the servers is its own. */
export interface Scene {
  readonly name: string;
  /** The configuration file. */
  readonly file: string;
  readonly source: string;
  readonly target: string;
  readonly tables: readonly string[];
}

export interface Ends {
  readonly source: string;
  readonly target: Server;
  readonly tables?: readonly string[];
  /** The lines of `via`, if any, as YAML in braces. */
  readonly via?: string;
  readonly http?: string;
  /** What the pipeline connects to instead of the servers themselves: a proxy's URLs. */
  readonly through?: { readonly source?: string; readonly target?: string };
  /** Further lines of the target's settings, as YAML in braces would have them. */
  readonly settings?: string;
}

/** A database in the target and a configuration; the tables are those of the database named like the pipeline. */
export async function newScene(name: string, ends: Ends): Promise<Scene> {
  const { source, target, tables = [`${name}.*`], via, http, through = {}, settings } = ends;
  if (target.kind === 'postgres') await onPostgres(target.url, `CREATE DATABASE ${name}`);
  const to = inDatabase(target.url, name);
  const text = [
    `name: ${name}`,
    `source: { url: '${through.source ?? source}', tables: ${JSON.stringify(tables)} }`,
    ...(via === undefined ? [] : [`via: ${via}`]),
    `targets: { warehouse: { url: '${inDatabase(through.target ?? target.url, name)}'${settings === undefined ? '' : `, ${settings}`} } }`,
    ...(http === undefined ? [] : [`http: { listen: '${http}' }`]),
  ];
  return { name, file: configFile(`${text.join('\n')}\n`), source, target: to, tables };
}

/** The same server's URL with a database in it. */
export function inDatabase(url: string, name: string): string {
  const to = new URL(url);
  to.pathname = `/${name}`;
  return to.href;
}

export async function onPostgres<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A database with a table for each kind of key, one without among them. */
export async function createShapes(client: Connection, database: string, rows: number): Promise<void> {
  await client.query(`CREATE DATABASE ${database}`);
  const random = seeded(seed);
  for (const { name, columns, row } of shapes) {
    const table = `${database}.${name}`;
    await client.query(`CREATE TABLE ${table} (${columns})`);
    for (let at = 0; at < rows; at += 4000) {
      const values = Array.from({ length: Math.min(4000, rows - at) }, (_, i) => row(at + i, random));
      await client.query(`INSERT IGNORE INTO ${table} VALUES ${values.join()}`);
    }
  }
}

/**
 * Does something while sessions write to every table. They write for 15 s at most: a table without a key is read again for as long as
 * it changes in the very moment in which it is read.
 */
export async function whileWriting<T>({ source, name }: Scene, work: () => Promise<T>): Promise<T> {
  const writers = new Writers({ url: source, database: name, seed });
  const enough = setTimeout(() => void writers.stop().catch(() => undefined), 15_000);
  try {
    return await work();
  } finally {
    clearTimeout(enough);
    await writers.stop();
    expect(writers.written, `seed ${seed}`).toBeGreaterThan(100);
  }
}

/** Compares every table value by value, those without a key as bags of rows. Both sides must stand still. */
export async function expectEqual({ source, target, tables }: Scene): Promise<void> {
  const results = await compareAll(source, target, tables, never);
  const differing = results.filter((result) => !isEqual([result]));
  expect(differing, `seed ${seed}`).toEqual([]);
  expect(results.length).toBeGreaterThan(0);
}

/** Counts as `run --json` prints them. */
export interface Counts {
  readonly read: number;
  readonly applied: number;
  readonly filtered: number;
  readonly copied: number;
  readonly deadLetters: number;
}

/**
 * Runs until caught up and gives the totals per target; fails on anything but success, and where counts do not add up (G5). Errors that
 * heal are expected only where others wrote to the target at the same time, or were killed while they did.
 */
export async function caughtUp(
  { file }: Scene,
  errors: 'none' | 'may heal' = 'none',
): Promise<Readonly<Record<string, Counts>>> {
  const ended = await lockstep(['run', file, '--until', 'caught-up', '--json']);
  const unlike = errors === 'may heal' ? /error (?!.*next try in)/ : /error/;
  expect([ended.code, ended.stderr], `seed ${seed}`).toEqual([0, expect.not.stringMatching(unlike)]);
  return totalsOf(ended);
}

/** The totals per target of `run --json`; fails where counts do not add up (G5). */
export function totalsOf({ stdout }: Ended): Record<string, Counts> {
  const result = JSON.parse(stdout) as {
    targets: Record<string, { total: Counts; tables: Record<string, Counts> }>;
  };
  const totals: Record<string, Counts> = {};
  for (const [target, { total, tables }] of Object.entries(result.targets)) {
    for (const [table, counts] of Object.entries(tables)) {
      expect(counts.read, `${target} ${table}, seed ${seed}`).toBe(
        counts.applied + counts.filtered + counts.deadLetters,
      );
    }
    totals[target] = total;
  }
  return totals;
}

/** What a target holds for a pipeline: tokens by name; none before it has begun. */
export interface Entries extends AsyncDisposable {
  read(): Promise<ReadonlyMap<string, string>>;
  /** How many rows of a table, as its pipeline names it, are there to be seen. */
  rows(table: string): Promise<number>;
}

export async function openEntries(scene: Scene): Promise<Entries> {
  return scene.target.startsWith('mongodb:') ? await entriesOfMongodb(scene) : await entriesOfPostgres(scene);
}

async function entriesOfPostgres({ name, target }: Scene): Promise<Entries> {
  const client = new Client(target);
  client.on('error', () => undefined);
  await client.connect();
  return {
    async read() {
      const { rows: there } = await client.query("SELECT 1 WHERE to_regclass('lockstep.checkpoints') IS NOT NULL");
      if (there.length === 0) return new Map();
      const { rows } = await client.query<{ name: string; token: string }>(
        'SELECT name, token FROM lockstep.checkpoints WHERE pipeline = $1',
        [name],
      );
      return new Map(rows.map((row) => [row.name, row.token]));
    },
    async rows(table) {
      const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM "${name}"."${table}"`);
      return rows[0]?.n ?? 0;
    },
    [Symbol.asyncDispose]: async () => await client.end(),
  };
}

async function entriesOfMongodb({ name, target }: Scene): Promise<Entries> {
  const client = await MongoClient.connect(target);
  const stored = client
    .db('lockstep')
    .collection<{ _id: { pipeline: string; name?: string }; token?: string }>('checkpoints');
  return {
    async read() {
      const documents = await stored.find({ '_id.pipeline': name, '_id.name': { $exists: true } }).toArray();
      return new Map(documents.map(({ _id, token }) => [_id.name ?? '', token ?? '']));
    },
    rows: async (table) => await client.db().collection(table).countDocuments(),
    [Symbol.asyncDispose]: async () => await client.close(),
  };
}
