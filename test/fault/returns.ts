import { expect } from 'vitest';
import type { Server } from '../../dev/servers/index.ts';
import { until, type Running } from '../e2e/cli.ts';
import { openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { said } from './kills.ts';

/** Runs one statement on a connection of its own: those that were open are gone with the server. */
export async function write({ source }: Scene, sql: string): Promise<void> {
  const client = await openClient(source);
  try {
    await client.query(sql);
  } finally {
    client.destroy();
  }
}

/**
 * Kills a server, waits until the running pipeline has said so with one of `codes` and when it tries again, and starts the server again. Gives what
 * prints, once rows have arrived again, how long that took from the server's first answer on.
 */
export async function killAndReturn(
  server: Server,
  running: Running,
  codes: RegExp,
  meanwhile?: () => Promise<void>,
): Promise<() => void> {
  const before = said(running).length;
  await server.kill();
  await meanwhile?.();
  await until(
    () => new RegExp(`error (${codes.source}) .*next try in`).test(said(running).slice(before)),
    () => `${server.kind} is away and it did not say so: ${said(running).slice(before)}`,
  );
  await server.start();
  const startedAtMs = Date.now();
  expect(running.process.exitCode, said(running)).toBeNull();
  return () => process.stdout.write(`${server.kind} killed and back: ${(Date.now() - startedAtMs) / 1000} s\n`);
}

/** Waits until a table of the target has so many rows. */
export async function arrived(scene: Scene, table: string, rows: number, running: Running): Promise<void> {
  await using entries = await openEntries(scene);
  await until(
    async () => (await entries.rows(table).catch(() => -1)) === rows,
    () => `${table} has no ${rows} rows: ${said(running)}`,
  );
}

/** Ends a process in good order. */
export async function endInOrder(running: Running): Promise<void> {
  running.process.kill('SIGTERM');
  const { code, stdout, stderr } = await running.ended;
  expect([code, `${stdout}${stderr}`]).toEqual([0, expect.not.stringMatching(/^ +at .*:\d+:\d+/m)]);
}
