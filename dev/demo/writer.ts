import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seeded, type Random } from '../random.ts';
import { deskOf, pickBusiness, type Shop } from './business.ts';
import { SHOP_DATABASE } from './shop.ts';
import type { WriterReport } from './writer-report.ts';

const DEADLOCK = 1213;
const LOCK_TIMEOUT = 1205;
/** A foreign key or a unique key says no: the order or product has changed hands meanwhile. */
const REFUSALS = [1062, 1451, 1452];

const counts = { transactions: 0, retried: 0, rolledBack: 0 };
const stop = new AbortController();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      rate: { type: 'string', default: '400' },
      connections: { type: 'string', default: '4' },
      seed: { type: 'string', default: '1' },
    },
  });
  if (values.url === undefined) throw new Error('the writer needs --url');
  const { url } = values;
  const connections = Number(values.connections);
  const known = await knownShop(url);
  const reporting = setInterval(() => report(), 200);
  await Promise.all(
    Array.from({ length: connections }, async (_, i) => {
      await work(url, seeded(Number(values.seed) * 1000 + i), known, (1000 * connections) / Number(values.rate));
    }),
  );
  clearInterval(reporting);
  report();
  if (process.connected) process.disconnect();
}

/** One connection: a transaction every `everyMs`, later ones at once when it has fallen behind. */
async function work(url: string, random: Random, known: Shop, everyMs: number): Promise<void> {
  const connection = await createConnection({ uri: url, database: SHOP_DATABASE, charset: 'utf8mb4_bin' });
  await connection.query("SET time_zone = '+00:00', innodb_lock_wait_timeout = 3");
  let due = performance.now();
  while (!stop.signal.aborted) {
    due = Math.max(due + everyMs, performance.now() - 1000);
    const ahead = due - performance.now();
    if (ahead > 1) await sleep(ahead, undefined, { signal: stop.signal }).catch(() => undefined);
    await transact(connection, random, known);
  }
  await connection.end();
}

/** One transaction, again from its beginning each time the server chooses it as a deadlock's victim. */
async function transact(connection: Connection, random: Random, known: Shop): Promise<void> {
  const business = pickBusiness(random);
  for (;;) {
    try {
      await connection.query('BEGIN');
      const committed = await business(deskOf(connection, random, known));
      if (random.chance(0.02)) {
        await connection.query('ROLLBACK');
        counts.rolledBack += 1;
        return;
      }
      await connection.query('COMMIT');
      committed?.();
      counts.transactions += 1;
      return;
    } catch (error) {
      const number = error instanceof Error && 'errno' in error ? error.errno : 0;
      // After a lock's timeout only the statement is undone, not the transaction.
      if (number === DEADLOCK || number === LOCK_TIMEOUT) counts.retried += 1;
      else if (REFUSALS.includes(Number(number))) counts.rolledBack += 1;
      else throw error;
      await connection.query('ROLLBACK');
      if (REFUSALS.includes(Number(number))) return;
    }
  }
}

async function knownShop(url: string): Promise<Shop> {
  const connection = await createConnection({ uri: url, database: SHOP_DATABASE });
  try {
    const max = async (table: string): Promise<number> => {
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT MAX(id) AS id FROM ${table}`);
      return Number(rows[0]?.['id'] ?? 1);
    };
    const [rows] = await connection.query<RowDataPacket[]>('SELECT sku FROM products ORDER BY sku');
    const [first = 'none', ...rest] = rows.map((row) => String(row['sku']));
    const [customers, orders, events] = [await max('customers'), await max('orders'), await max('events')];
    return { customers, orders, events, skus: [first, ...rest], renamed: 0 };
  } finally {
    await connection.end();
  }
}

function report(): void {
  const said: WriterReport = { ...counts };
  if (process.connected) process.send?.(said);
}

process.on('message', () => stop.abort()); // the only message there is: stop
process.on('disconnect', () => stop.abort()); // the parent is gone
process.on('SIGINT', () => undefined); // Ctrl-C goes to the whole group; the parent says when to stop
await main();
