import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { configFile, lockstep, startLockstep, until } from '../e2e/cli.ts';
import { inDatabase, onPostgres } from '../e2e/scene.ts';
import { openClient } from '../support/mysql-run.ts';
import { addressOf } from './health.ts';
import { LIMIT_MS, said } from './kills.ts';

/** With characters that URLs, regular expressions and JSON write otherwise. */
const SECRETS = {
  SOURCE_PASSWORD: 'Sekret/of:the@source?$1',
  TARGET_PASSWORD: 'Sekret"of the%target',
  MONGO_PASSWORD: 'Sekret+of&the=catalog',
  MASK_KEY: 'Sekret-by-which-names-are-hashed',
};
/** In a row that the target refuses. */
const VALUE = 'Sekret value of a row';
const servers = new AsyncDisposableStack();
let mysql: Server;
let postgres: Server;
let mongodb: Server;
let client: Connection;
/** Everything that anybody was told, by where. */
const told = new Map<string, string>();

beforeAll(async () => {
  const started = await Promise.all([
    startServer('mysql', { fast: true, own: true }),
    startServer('postgres', { fast: true, own: true }),
    startServer('mongodb', { fast: true, own: true }),
  ]);
  for (const server of started) servers.use(server);
  [mysql, postgres, mongodb] = started;
  client = await openClient(mysql.url);
  servers.defer(() => client.destroy());
  await client.query('CREATE DATABASE hidden');
  await client.query('CREATE TABLE hidden.people (id INT PRIMARY KEY, name VARCHAR(40), note VARCHAR(40))');
  await client.query("INSERT INTO hidden.people VALUES (1, 'Ada', 'x')");
  await client.query(`CREATE USER repl@'%' IDENTIFIED BY '${SECRETS.SOURCE_PASSWORD}'`);
  await client.query("GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO repl@'%'");
  await onPostgres(postgres.url, `CREATE ROLE app SUPERUSER LOGIN PASSWORD '${SECRETS.TARGET_PASSWORD}'`);
  await onPostgres(postgres.url, 'CREATE DATABASE hidden');
  const table = `CREATE TABLE hidden.people (id int PRIMARY KEY, name varchar(64), note varchar(40) CHECK (note NOT LIKE 'Sekret%'))`;
  await onPostgres(inDatabase(postgres.url, 'hidden'), `CREATE SCHEMA hidden; ${table}`);
});
afterAll(async () => await servers.disposeAsync());

function credentials(url: string, user: string, variable: keyof typeof SECRETS): string {
  return inDatabase(url, 'hidden').replace(/\/\/([^@/]*@)?/, `//${user}:\${${variable}}@`);
}

function pipeline(target: string, transforms = ''): string {
  return configFile(`name: hidden
source: { url: '${credentials(mysql.url, 'repl', 'SOURCE_PASSWORD').replace('/hidden', '')}', tables: ['hidden.*'] }
targets:
  warehouse: { url: '${target}'${transforms} }
http: { listen: '127.0.0.1:0' }
`);
}

async function tell(where: string, args: readonly string[], env: Record<string, string> = SECRETS): Promise<string> {
  const { stdout, stderr } = await lockstep(args, env);
  const text = stdout + stderr;
  told.set(where, text);
  return text;
}

test(
  'no password, key or value is said in any log, message, metric or answer, whatever fails',
  async () => {
    const masked = `, transforms: [{ mask: { columns: [people.name], with: hash, key: '\${MASK_KEY}' } }]`;
    const good = pipeline(credentials(postgres.url, 'app', 'TARGET_PASSWORD'), masked);
    const running = startLockstep(['run', good], SECRETS);
    const saying = async (text: RegExp): Promise<void> =>
      await until(
        () => text.test(said(running)),
        () => `not said: ${text.source} in ${said(running)}`,
      );
    const address = await addressOf(running);
    await saying(/following/);
    await client.query(`INSERT INTO hidden.people VALUES (2, 'Bob', '${VALUE}')`);
    await saying(/dead letters/);
    await postgres.kill();
    await client.query("INSERT INTO hidden.people VALUES (3, 'Cy', 'x')");
    await saying(/error TARGET_\w+ .*next try/);
    for (const path of ['health', 'status', 'metrics']) {
      told.set(`/${path}`, await (await fetch(`${address}/${path}`)).text());
    }
    await postgres.start();
    for (const command of ['doctor', 'plan', 'status']) await tell(command, [command, good]);
    await tell('rejects', ['rejects', 'list', good, '--json']);
    await client.query("ALTER USER repl@'%' IDENTIFIED BY 'another'");
    const [sessions] = await client.query("SELECT id FROM information_schema.processlist WHERE user = 'repl'");
    // One may have ended by itself meanwhile.
    for (const { id } of sessions as { id: number }[]) await client.query(`KILL ${id}`).catch(() => undefined);
    await running.ended;
    told.set('run', said(running));
    expect(said(running)).toMatch(/error SOURCE_AUTH/);
    await client.query(`ALTER USER repl@'%' IDENTIFIED BY '${SECRETS.SOURCE_PASSWORD}'`);

    const wrong = { ...SECRETS, TARGET_PASSWORD: 'Sekret but wrong' };
    expect(await tell('run, target', ['run', good, '--json'], wrong)).toMatch(/TARGET_AUTH/);
    const mongo = pipeline(credentials(mongodb.url, 'app', 'MONGO_PASSWORD'));
    expect(await tell('run, mongodb', ['run', mongo])).toMatch(/TARGET_AUTH/);
    await tell('doctor, mongodb', ['doctor', mongo, '--json']);
    const missing = { SOURCE_PASSWORD: SECRETS.SOURCE_PASSWORD };
    expect(await tell('run, variable', ['run', good], missing)).toMatch(/CONFIG_SECRET_MISSING/);
    const broken = pipeline(`postgres://app:${encodeURIComponent(VALUE)}@[nowhere/hidden`);
    await tell('run, url', ['run', broken]);

    for (const [where, text] of told) {
      expect(text.length, where).toBeGreaterThan(0);
      expect(text, where).not.toMatch(/Sekret/i);
      for (const secret of Object.values(SECRETS)) {
        expect(text, where).not.toContain(Buffer.from(secret).toString('base64').slice(0, 12));
      }
    }
    expect([...told.values()].join('')).toContain('127.0.0.1');
  },
  LIMIT_MS,
);
