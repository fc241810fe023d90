import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { runKafkaTool } from '../../dev/servers/kafka.ts';
import { freePort } from '../../dev/servers/process.ts';
import { type Certificate, makeCertificate, secure } from '../support/certificate.ts';
import { openClient } from '../support/mysql-run.ts';
import { said } from '../fault/kills.ts';
import { configFile, lockstep, startLockstep, until } from './cli.ts';
import { expectEqual, inDatabase, newScene, type Scene, totalsOf } from './scene.ts';

const passwords = { plain: 'p1ain', 'scram-sha-256': 'pw 256', 'scram-sha-512': 'pw-512' } as const;

const servers = new AsyncDisposableStack();
let certificate: Certificate;
let mysql: Server;
let mariadb: Server;
let postgres: Server;
let mongodb: Server;
let kafka: Server;
/** The brokers' listener that wants TLS and a login, and the registry's that wants TLS. */
let listener: string;
let registry: string;

beforeAll(async () => {
  certificate = await makeCertificate();
  const [brokerPort, registryPort] = [await freePort(), await freePort()];
  listener = `localhost:${brokerPort}`;
  registry = `https://localhost:${registryPort}/apis/ccompat/v7`;
  const start = async (kind: Server['kind'], args: readonly string[] = []): Promise<Server> =>
    servers.use(await startServer(kind, { here: true, fast: true, args }));
  const ofMysql = [`--ssl-cert=${certificate.certificate}`, `--ssl-key=${certificate.key}`];
  const ofMongodb = ['--tlsMode=preferTLS', `--tlsCertificateKeyFile=${certificate.both}`];
  [mysql, mariadb, postgres, mongodb, kafka] = await Promise.all([
    start('mysql', ofMysql),
    start('mariadb', ofMysql),
    start('postgres'),
    start('mongodb', ofMongodb),
    start('kafka', kafkaSettings(brokerPort)),
    start('registry', [
      `quarkus.http.ssl-port=${registryPort}`,
      `quarkus.http.ssl.certificate.files=${certificate.certificate}`,
      `quarkus.http.ssl.certificate.key-files=${certificate.key}`,
    ]),
  ]);
  await secure(postgres, certificate);
  for (const { url } of [mysql, mariadb]) {
    await using client = await openClient(url);
    await client.query('CREATE DATABASE refused');
    await client.query('CREATE TABLE refused.rows (id INT PRIMARY KEY)');
  }
  const user = ['--bootstrap-server', kafka.url, '--alter', '--entity-type', 'users', '--entity-name', 'shop'];
  const allow = async (mechanism: 'scram-sha-256' | 'scram-sha-512'): Promise<string> => {
    const password = `${mechanism.toUpperCase()}=[password=${passwords[mechanism]}]`;
    return await runKafkaTool('kafka.admin.ConfigCommand', [...user, '--add-config', password]);
  };
  await Promise.all([allow('scram-sha-256'), allow('scram-sha-512')]);
});
afterAll(async () => await servers.disposeAsync());

function kafkaSettings(port: number): string[] {
  const modules = 'org.apache.kafka.common.security';
  return [
    `listeners=SECURE://127.0.0.1:${port}`,
    `advertised.listeners=SECURE://localhost:${port}`,
    'listener.security.protocol.map=SECURE:SASL_SSL',
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${certificate.both}`,
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.secure.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_shop="${passwords.plain}";`,
    `listener.name.secure.scram-sha-256.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
    `listener.name.secure.scram-sha-512.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
  ];
}

const trusting = (): Record<string, string> => ({ NODE_EXTRA_CA_CERTS: certificate.certificate });

const verifying: Partial<Record<Server['kind'], string>> = {
  mysql: 'ssl=verify',
  mariadb: 'ssl=verify',
  postgres: 'sslmode=verify-full',
  mongodb: 'tls=true',
};

/** A server's URL by its name, with what asks for TLS and for a look at the certificate. */
function verified({ url, kind }: Server): string {
  const named = url.replace('127.0.0.1', 'localhost');
  return `${named}${named.includes('?') ? '&' : '?'}${verifying[kind] ?? ''}`;
}

function login(mechanism: keyof typeof passwords, password: string = passwords[mechanism]): string {
  return `sasl: { mechanism: ${mechanism}, username: shop, password: '${password}' }`;
}

async function sceneOf(name: string, source: Server, target: Server, via?: string): Promise<Scene> {
  await using client = await openClient(source.url);
  await client.query(`CREATE DATABASE ${name}`);
  await client.query(`CREATE TABLE ${name}.rows (id INT PRIMARY KEY, v LONGTEXT NOT NULL)`);
  await client.query(`INSERT INTO ${name}.rows VALUES (1, 'ä'), (2, REPEAT('large', 60000)), (3, REPEAT('x', 200))`);
  const through = { source: verified(source), target: verified(target) };
  return await newScene(name, { source: source.url, target, through, ...(via === undefined ? {} : { via }) });
}

test.each([
  ['straight from mysql', 'postgres', null],
  ['straight from mariadb', 'mongodb', null],
  ['through Kafka with a login by plain', 'postgres', 'plain'],
  ['through Kafka with a login by scram-sha-256', 'mongodb', 'scram-sha-256'],
  ['through Kafka with a login by scram-sha-512', 'postgres', 'scram-sha-512'],
] as const)('%s into %s everything goes over TLS, and every certificate is checked', async (how, kind, mechanism) => {
  const via =
    mechanism === null
      ? undefined
      : `{ kafka: ['${listener}'], tls: true, schemaRegistry: '${registry}', ${login(mechanism)} }`;
  const source = how.endsWith('mariadb') ? mariadb : mysql;
  const name = `tls_${(mechanism ?? source.kind).replaceAll('-', '_')}`;
  const scene = await sceneOf(name, source, kind === 'postgres' ? postgres : mongodb, via);
  const upToDate = async (): Promise<void> => {
    const ended = await lockstep(['run', scene.file, '--until', 'caught-up', '--json'], trusting());
    expect([ended.code, ended.stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect(totalsOf(ended)['warehouse']).toMatchObject({ deadLetters: 0 });
    await expectEqual(scene);
  };
  await upToDate();
  await using client = await openClient(source.url);
  await client.query(`UPDATE ${name}.rows SET v = REPEAT('larger', 60000) WHERE id < 3`);
  await client.query(`INSERT INTO ${name}.rows SELECT id + 10, v FROM ${name}.rows`);
  await upToDate();
});

type Ends = Readonly<Record<'source' | 'target' | 'via', string>>;

/** What a pipeline between these ends says before it gives up. */
async function refusal(settings: Ends): Promise<string> {
  const { code, stdout, stderr } = await lockstep(['run', refusedFile(settings)]);
  expect([code, stderr], stdout).toEqual([1, expect.stringContaining('error')]);
  return stderr;
}

function refusedFile({ source, target, via }: Ends): string {
  return configFile(`name: refused
source: { url: '${source}', tables: [refused.*] }
${via === '' ? '' : `via: ${via}\nhttp: { listen: '127.0.0.1:0' }`}
targets: { warehouse: { url: '${inDatabase(target, 'postgres')}' } }
`);
}

test('a certificate that nobody vouches for stops the pipeline, which says what to do', async () => {
  const plain = { source: mysql.url, target: postgres.url, via: '' };
  const authority = 'NODE_EXTRA_CA_CERTS';
  const refusals: readonly (readonly [Partial<Ends>, code: string, fix: string])[] = [
    [{ source: verified(mysql) }, 'SOURCE_AUTH', authority],
    [{ source: verified(mariadb) }, 'SOURCE_AUTH', authority],
    [{ target: verified(postgres) }, 'TARGET_AUTH', 'sslrootcert'],
    [{ target: verified(mongodb) }, 'TARGET_AUTH', 'tlsCAFile'],
    [{ via: `{ kafka: ['${listener}'], tls: true, ${login('plain')} }` }, 'KAFKA_AUTH', authority],
    [{ via: `{ kafka: ['${kafka.url}'], schemaRegistry: '${registry}' }` }, 'REGISTRY_REFUSED', authority],
  ];
  for (const [settings, code, fix] of refusals) {
    const said = await refusal({ ...plain, ...settings });
    expect(said).toContain(code);
    expect(said).toContain(fix);
  }
});

test('a certificate of another host stops the pipeline, though its authority is trusted', async () => {
  const other = await makeCertificate('DNS:other.example');
  await using client = await openClient(mysql.url);
  const present = async ({ certificate: file, key }: Certificate): Promise<void> => {
    await client.query('SET GLOBAL ssl_cert = ?, GLOBAL ssl_key = ?', [file, key]);
    await client.query('ALTER INSTANCE RELOAD TLS');
  };
  await present(other);
  try {
    const file = refusedFile({ source: verified(mysql), target: postgres.url, via: '' });
    const { code, stderr } = await lockstep(['run', file], { NODE_EXTRA_CA_CERTS: other.certificate });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/SOURCE_AUTH.*other\.example/)]);
  } finally {
    await present(certificate);
  }
});

test('brokers that want another login, or TLS where there is none, are said with what to do', async () => {
  const plain = { source: mysql.url, target: postgres.url };
  const wrong = `{ kafka: ['${listener}'], tls: true, ${login('scram-sha-512', 'n0 password')} }`;
  const { code, stderr } = await lockstep(['run', refusedFile({ ...plain, via: wrong })], trusting());
  expect([code, stderr]).toEqual([1, expect.stringMatching(/KAFKA_AUTH[^]*check user, password and SASL mechanism/)]);
  expect(stderr).not.toContain('n0 password');
  // A broker that does not speak as it should may be one that starts: these are tried again.
  for (const via of [`{ kafka: ['${listener}'] }`, `{ kafka: ['${kafka.url}'], tls: true }`]) {
    const running = startLockstep(['run', refusedFile({ ...plain, via })], trusting());
    await until(
      () => said(running).includes('this listener may want TLS or a login, or another one is meant'),
      () => `${via}: ${said(running)}`,
    );
    running.process.kill('SIGTERM');
    await running.ended;
  }
});
