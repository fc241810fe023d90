import { createConnection, type ResultSetHeader } from 'mysql2/promise';
import { Client } from 'pg';
import { configText, Product, type PipelineConfig } from '../product.ts';
import { startServer, type Kind, type Server } from '../servers/index.ts';
import { freePort } from '../servers/process.ts';
import { compareTargets } from './compare.ts';
import { isConsistent } from './consistent.ts';
import type { DemoOptions } from './options.ts';
import { closing, type DemoOutcome } from './outcome.ts';
import { openShow, type Show } from './screen.ts';
import { createShop, SHOP_DATABASE, shopSize } from './shop.ts';
import { Watch } from './watch.ts';
import { duration, grouped } from './words.ts';
import { Writer } from './writer-process.ts';

const COPY_WITHIN_MS = 10 * 60_000;

/** The whole demonstration; whatever it started is stopped when it ends, however it ends. */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<DemoOutcome> {
  const show = openShow(options.json);
  const started = new AsyncDisposableStack();
  try {
    return await perform(options, show, started, signal);
  } finally {
    show.close();
    await started.disposeAsync();
  }
}

async function perform(
  options: DemoOptions,
  show: Show,
  started: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<DemoOutcome> {
  const startedAtMs = performance.now();
  show.say('starting the servers; what this machine lacks is installed first');
  const servers = await startServers(options, show, started, signal);
  const filled = await createShop(servers.source.url, shopSize(options.rows), options.seed, signal);
  const rowsAtStart = [...filled.rows.values()].reduce((sum, rows) => sum + rows, 0);
  show.say(`shop: ${grouped(rowsAtStart)} rows in ${String(filled.rows.size)} tables, made in ${duration(filled.ms)}`);

  const config = await configFor(servers);
  show.say(`\nlockstep.yaml\n${configText(config).replaceAll(/^/gm, '  ').trimEnd()}\n`);
  const writer = started.use(new Writer(servers.source.url, options.rate, options.seed));
  const writingSinceMs = performance.now();
  const product = started.use(await Product.start(config));
  const title = `Lockstep: ${nameOf(servers.source)} to ${Object.keys(config.targets).join(' and ')}${options.kafka ? ' through Kafka' : ''}`;
  const listen = config.listen ?? '';
  const watch = new Watch({ title, startedAtMs, rows: filled.rows, writer, product, listen, show, signal });

  const copyDeadlineMs = performance.now() + COPY_WITHIN_MS;
  const expected = Object.keys(config.targets).length + (options.kafka ? 1 : 0);
  await watch.until(
    () => 'copying while the writer writes',
    (runs) => {
      if (performance.now() > copyDeadlineMs)
        throw new Error(`the copy is not consistent after ${duration(COPY_WITHIN_MS)}`);
      return runs.size === expected && isConsistent(runs, filled.rows.keys());
    },
  );
  const copyMs = performance.now() - writingSinceMs;

  const until = performance.now() + options.seconds * 1000;
  const left = (): number => Math.max(0, Math.ceil((until - performance.now()) / 1000));
  await watch.until(
    () => `every copy is consistent; the writer writes for ${String(left())} s more`,
    () => performance.now() >= until,
  );
  const writes = await writer.stop();
  const stoppedAtMs = performance.now();
  const lastEvent = await writeLastEvent(servers.source.url);
  const targets = await compareTargets({
    source: servers.source.url,
    targets: config.targets,
    lastEvent,
    stoppedAtMs,
    watch,
    signal,
  });
  const outcome: DemoOutcome = {
    equal: targets.every(({ equal }) => equal),
    source: { kind: servers.source.kind, version: servers.source.version },
    via: options.kafka ? 'kafka' : null,
    rowsAtStart,
    copyMs: Math.round(copyMs),
    targets,
    lockstep: product.usage,
    writer: { ...writes, seconds: Math.round((stoppedAtMs - writingSinceMs) / 1000) },
  };
  show.close();
  if (options.json) console.log(JSON.stringify(outcome));
  else for (const line of closing(outcome)) console.log(line);
  if (options.keep) await stay(servers, product, signal);
  return outcome;
}

interface Servers {
  readonly source: Server;
  readonly postgres: Server;
  readonly mongodb: Server;
  readonly kafka: Server | null;
  readonly registry: Server | null;
}

/** One after the other where something has to be installed, for the first run has the machine busy enough. */
async function startServers(
  options: DemoOptions,
  show: Show,
  started: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Servers> {
  const start = async (kind: Kind): Promise<Server> => {
    signal.throwIfAborted();
    const server = started.use(await startServer(kind, { own: true }));
    show.say(`${kind.padEnd(10)} ${shortVersion(server).padEnd(14)} ${server.url}`);
    return server;
  };
  const source = await start(options.mariadb ? 'mariadb' : 'mysql');
  const postgres = await start('postgres');
  const mongodb = await start('mongodb');
  const kafka = options.kafka ? await start('kafka') : null;
  const registry = options.kafka ? await start('registry') : null;
  return { source, postgres, mongodb, kafka, registry };
}

async function configFor({ source, postgres, mongodb, kafka, registry }: Servers): Promise<PipelineConfig> {
  return {
    name: 'demo',
    source: source.url,
    tables: [`${SHOP_DATABASE}.*`],
    kafka: kafka?.url ?? null,
    registry: registry?.url ?? null,
    targets: {
      postgres: await createPostgresDatabase(postgres.url),
      mongodb: mongodb.url.replace('/?', `/${SHOP_DATABASE}?`),
    },
    listen: `127.0.0.1:${String(await freePort())}`,
  };
}

async function createPostgresDatabase(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`CREATE DATABASE ${SHOP_DATABASE}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${SHOP_DATABASE}` }).href;
}

function nameOf({ kind, version }: Server): string {
  return `${kind === 'mariadb' ? 'MariaDB' : 'MySQL'} ${shortVersion({ version })}`;
}

/** `15.18 (Debian 15.18-1)` as `15.18`. */
function shortVersion({ version }: Pick<Server, 'version'>): string {
  return /^\d+(\.\d+)*/.exec(version)?.[0] ?? version;
}

/** The last row that is written: what holds it has caught up, as far as one lane goes. Gives its id. */
async function writeLastEvent(url: string): Promise<number> {
  const connection = await createConnection({ uri: url, database: SHOP_DATABASE });
  const [{ insertId }] = await connection.query<ResultSetHeader>(
    "INSERT INTO events (kind) VALUES ('the writer has stopped')",
  );
  await connection.end();
  return insertId;
}

async function stay(servers: Servers, product: Product, signal: AbortSignal): Promise<void> {
  console.error(
    `\nEverything runs until Ctrl-C: write to the source and look at the targets.\nconfig: ${product.configFile}`,
  );
  const { source, postgres, mongodb, kafka, registry } = servers;
  for (const server of [source, postgres, mongodb, kafka, registry])
    if (server !== null) console.error(`${server.kind.padEnd(10)} ${server.url}`);
  await new Promise((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => resolve(clearInterval(alive)), { once: true });
  });
}
