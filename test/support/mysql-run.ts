import mysql from 'mysql2/promise';
import { MysqlSource } from '../../connectors/mysql/source.ts';
import type { Batch, Lane } from '../../core/contracts.ts';
import { runLoop } from '../../core/loop.ts';
import { Memory } from '../../core/memory.ts';
import { Progress } from '../../core/progress.ts';
import type { SchemaPolicies } from '../../core/schema-policy.ts';
import { Transforms } from '../../core/transform.ts';
import { MemoryTarget, type MemoryServer } from './memory-target.ts';

/** The servers that every test of the source runs against. */
export const flavours = ['mysql', 'mariadb'] as const;
export type Flavour = (typeof flavours)[number];

export const never = new AbortController().signal;

export interface SourceRun {
  readonly url: string;
  readonly tables: readonly string[];
  readonly server: MemoryServer;
  readonly pipeline?: string;
  /** Default: ends once it has caught up. */
  readonly until?: 'caught-up' | null;
  readonly readers?: number;
  readonly marker?: string | null;
  readonly partsAtOnce?: boolean;
  readonly schemaChanges?: SchemaPolicies;
  readonly added?: Set<string>;
  readonly before?: (lane: Pick<Lane, 'name' | 'kind'>, batch: Batch) => Promise<void> | void;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Runs the source into a memory target, as one process would, until it ends, fails or is aborted. */
export async function runSource(run: SourceRun): Promise<Progress> {
  const { url, tables, server, pipeline = 'test', until = 'caught-up', progress = new Progress() } = run;
  const copy = { readers: run.readers ?? 2, marker: run.marker ?? null };
  const { schemaChanges = {}, added = new Set<string>() } = run;
  const asked = { tables, added, until, copy, schemaChanges };
  const source = new MysqlSource({ pipeline, target: 'memory', url, progress, ...asked });
  const target = new MemoryTarget({
    server,
    pipeline,
    partsAtOnce: run.partsAtOnce ?? false,
    ...(run.before === undefined ? {} : { before: run.before }),
  });
  const limits = { bytes: 4 * 1024 * 1024, changes: 10_000 };
  try {
    await runLoop({
      source,
      target,
      transforms: new Transforms([]),
      progress,
      limits,
      memory: new Memory(64 * 1024 * 1024),
      signal: run.signal ?? never,
    });
  } finally {
    await source.close();
    await target.close();
  }
  return progress;
}

/** A client of the server as an application is one: UTC, utf8mb4, and a sql_mode that lets every value in. */
export async function openClient(url: string, settings = "sql_mode = ''"): Promise<mysql.Connection> {
  const client = await mysql.createConnection({
    uri: url,
    charset: 'utf8mb4_bin',
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
  });
  await client.query(`SET time_zone = '+00:00', ${settings}`);
  return client;
}
