import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded } from '../../dev/random.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { startLockstep, until } from '../e2e/cli.ts';
import { caughtUp, newScene, onPostgres, openEntries, type Scene } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { Proxy } from '../support/proxy.ts';
import { seed } from '../support/seed.ts';
import { said } from './kills.ts';
import { expectNoneLostOrDoubled } from './none-lost.ts';
import { endInOrder } from './returns.ts';

const KEYS = 40;
const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let kafka: Server;
let toKafka: Proxy;
let toPostgres: Proxy;
let client: Connection;

beforeAll(async () => {
  toKafka = servers.use(await Proxy.open('127.0.0.1:1'));
  const args = [`advertised.listeners=PLAINTEXT://${toKafka.url}`];
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
    startServer('kafka', { fast: true, own: true, args }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres, kafka] = started;
  toKafka.leadTo(kafka.url);
  toPostgres = servers.use(await Proxy.open(postgres.url));
  client = await openClient(mysql.url);
  servers.defer(() => client.destroy());
});
afterAll(async () => await servers.disposeAsync());

/** Changes rows one after the other, each with the next number: new values, deletes, inserts, and keys that move from row to row. */
class Numbered {
  written = 0;
  #stopped = false;
  readonly #working: Promise<void>;

  constructor(table: string) {
    this.#working = this.#work(table);
    this.#working.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #work(table: string): Promise<void> {
    const random = seeded(seed);
    while (!this.#stopped) {
      await client.query('BEGIN');
      for (let left = random.between(1, 6); left > 0; left -= 1) {
        this.written += 1;
        await client.query(statement(table, this.written, random.int(5), random.int(KEYS), random.int(KEYS)));
      }
      await client.query(random.chance(0.1) ? 'ROLLBACK' : 'COMMIT');
    }
  }
}

function statement(table: string, n: number, kind: number, id: number, other: number): string {
  if (kind === 0) return `DELETE FROM ${table} WHERE id = ${id}`;
  if (kind === 1) return `REPLACE INTO ${table} VALUES (${id}, ${n})`;
  if (kind === 2) return `UPDATE IGNORE ${table} SET id = ${other}, n = ${n} WHERE id = ${id}`;
  return `UPDATE ${table} SET n = ${n} WHERE id = ${id}`;
}

/** The target itself writes down every version of a row that it gets, by key: the number of a later one is never smaller. */
async function keepVersions({ target, name }: Scene): Promise<void> {
  await onPostgres(
    target,
    `CREATE SCHEMA ${name};
     CREATE TABLE ${name}.rows (id int PRIMARY KEY, n int NOT NULL);
     CREATE TABLE public.versions (at bigserial, id int, n int);
     CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS
       $$BEGIN INSERT INTO public.versions (id, n) VALUES (NEW.id, NEW.n); RETURN NEW; END$$;
     CREATE TRIGGER keep AFTER INSERT OR UPDATE ON ${name}.rows FOR EACH ROW EXECUTE FUNCTION public.keep();
     ALTER TABLE ${name}.rows ENABLE ALWAYS TRIGGER keep`,
  );
}

async function expectInOrder({ target }: Scene): Promise<void> {
  const back = await onPostgres(
    target,
    `SELECT * FROM (SELECT id, n, lag(n) OVER (PARTITION BY id ORDER BY at) AS before FROM public.versions) v WHERE n < before LIMIT 5`,
  );
  expect(back, `seed ${seed}`).toEqual([]);
  const versions = await onPostgres<{ n: number }>(target, 'SELECT count(*)::int AS n FROM public.versions');
  expect(versions[0]?.n).toBeGreaterThan(2 * KEYS);
}

test.each(['directly', 'through Kafka'] as const)(
  'versions of a key arrive in the order of the source %s, while connections are cut, processes killed, and keys move',
  async (way) => {
    const name = way === 'directly' ? 'straight' : 'around';
    const via = way === 'directly' ? {} : { via: `{ kafka: ['${toKafka.url}'] }`, http: '127.0.0.1:0' };
    const scene = await newScene(name, {
      source: mysql.url,
      target: postgres,
      through: { target: toPostgres.url },
      ...via,
    });
    await client.query(`CREATE DATABASE ${name}`);
    await client.query(`CREATE TABLE ${name}.rows (id INT PRIMARY KEY, n INT NOT NULL)`);
    await keepVersions(scene);
    // While a table is copied, what its rows show already may come once more behind them.
    await caughtUp(scene);
    const random = seeded(seed);
    const writer = new Numbered(`${name}.rows`);
    await using entries = await openEntries(scene);
    try {
      for (const fault of ['cut', 'kill', 'cut'] as const) {
        const running = startLockstep(['run', scene.file]);
        const moves = async (): Promise<void> => {
          const before = await stream(entries);
          await until(
            async () => (await stream(entries)) !== before,
            () => `nothing moves, seed ${seed}: ${said(running)}`,
          );
          await new Promise((resolve) => setTimeout(resolve, random.int(150)));
        };
        await moves();
        if (fault === 'cut') {
          for (const proxy of [toPostgres, toKafka]) {
            proxy.cut();
            await moves();
          }
          await endInOrder(running);
        } else {
          running.process.kill('SIGKILL');
          await running.ended;
        }
      }
      // A backlog is applied in large batches, in which many changes of a key come to one.
      const backlog = writer.written + 2000;
      await until(
        () => writer.written > backlog,
        () => 'nobody writes',
      );
    } finally {
      await writer.stop();
    }
    await expectNoneLostOrDoubled(scene, `cut and killed ${way}`);
    await expectInOrder(scene);
  },
);

/** Where the target stands in what is streamed: in the source's log, or in the topics' partitions. */
async function stream(entries: Awaited<ReturnType<typeof openEntries>>): Promise<string> {
  const there = [...(await entries.read())].filter(([name]) => name === 'stream' || name.startsWith('kafka/'));
  return JSON.stringify(there);
}
