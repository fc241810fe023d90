import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from 'mysql2/promise';
import { BACKLOG_TABLES } from '../backlog.ts';
import { insertLarge } from '../large.ts';
import type { Report } from '../report.ts';

export const LARGE = 'large';
/** Between two events; a large transaction and a schema change take turns. */
const EVERY_MS = 150_000;
/** In a short soak there are so many all the same. */
const AT_LEAST = 4;

/** What happens now and then beside the steady load, until `stop`: a large table is filled and emptied, a column comes and goes. */
export async function happen(
  connection: Connection,
  { rows, totalMs, report, stop }: { rows: number; totalMs: number; report: Report; stop: AbortSignal },
): Promise<void> {
  const everyMs = Math.min(EVERY_MS, totalMs / (AT_LEAST + 1));
  for (let turn = 0; ; turn += 1) {
    await sleep(everyMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) return;
    report.say(`         ${await happenOnce(connection, turn, rows)}`);
  }
}

/** Gives what was done, in words. */
async function happenOnce(connection: Connection, turn: number, rows: number): Promise<string> {
  const table = BACKLOG_TABLES[Math.floor(turn / 4) % BACKLOG_TABLES.length] ?? BACKLOG_TABLES[0];
  switch (turn % 4) {
    case 0:
      await insertLarge(connection, LARGE, rows);
      return `inserted ${String(rows)} rows in one transaction`;
    case 1:
      await connection.query(`ALTER TABLE ${table} ADD COLUMN extra INT NOT NULL DEFAULT 7`);
      return `added a column to ${table}`;
    case 2:
      await connection.query(`DELETE FROM ${LARGE}`);
      return `deleted ${String(rows)} rows in one transaction`;
    default:
      await connection.query(`ALTER TABLE ${table} DROP COLUMN extra`);
      return `dropped a column of ${table}`;
  }
}
