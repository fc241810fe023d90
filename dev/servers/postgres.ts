import { chown, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { installPackages } from './debian.ts';
import { cached, copyDirectory } from './install.ts';
import { findProgram, isRoot, run, systemUser } from './process.ts';
import type { SystemUser } from './process.ts';
import { afterOurEnd } from './reaper.ts';
import type { Place, Program, Recipe } from './server.ts';

const PASSWORD = 'pw';
const USER = 'postgres';
const DEBIAN = '/usr/lib/postgresql';

export const postgres: Recipe = {
  kind: 'postgres',
  title: 'PostgreSQL',
  variable: 'LOCKSTEP_TEST_POSTGRES_URL',
  user: USER,
  stopSignal: 'SIGINT', // "fast shutdown": without waiting for clients
  abortSignal: 'SIGQUIT', // "immediate shutdown": gives shared memory back, which SIGKILL does not
  url: (port) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`,
  probe,
  locate,
  install,
  prepare,
  container: (port, { args = [], fast = false }) => ({
    image: 'postgres:17',
    env: { POSTGRES_PASSWORD: PASSWORD },
    args: settings(port, fast, args),
  }),
};

async function probe(url: string): Promise<string> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {}); // the failed query tells
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  } finally {
    await client.end();
  }
}

/** The newest that Debian installed, else what is on PATH. `home` holds the programs, initdb among them. */
async function locate(): Promise<Program | null> {
  const releases = (await readdir(DEBIAN).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  const file = await findProgram(
    ['postgres'],
    [...releases.map((release) => join(DEBIAN, release, 'bin')), '/usr/pgsql/bin'],
  );
  if (file === null) return null;
  const version = /\d+(\.\d+)*/.exec(await run([file, '--version']))?.[0] ?? 'unknown';
  return { command: [file], home: dirname(file), version };
}

async function install(): Promise<Program> {
  await installPackages(['postgresql'], 'PostgreSQL', 'apt-get install postgresql, or the like of your system');
  const program = await locate();
  if (program === null) throw new Error(`postgresql was installed and brought no ${DEBIAN}/*/bin/postgres`);
  return program;
}

async function prepare(place: Place): Promise<readonly string[]> {
  const data = join(place.dir, 'data');
  await copyDirectory(await template(place.program), data);
  const local = ['-D', data, '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
  return [...place.program.command, ...local, ...settings(place.port, place.fast, place.args)];
}

function settings(port: number, fast: boolean, args: readonly string[]): string[] {
  const values = ['wal_level=logical', 'max_connections=200'];
  if (fast) values.push('fsync=off');
  return ['-p', String(port), ...values.flatMap((value) => ['-c', value]), ...args];
}

/** initdb refuses root, and root's cache is closed to others: so it works in a directory that it can reach. */
async function template(program: Program): Promise<string> {
  const directory = await cached(`template-postgres-${program.version}`, async (directory) => {
    const user = isRoot() ? await systemUser(USER) : null;
    if (isRoot() && user === null)
      throw new Error(`PostgreSQL does not run as root, and there is no user ${USER} here`);
    await initialise(program, join(directory, 'data'), user);
  });
  return join(directory, 'data');
}

async function initialise(program: Program, final: string, user: SystemUser | null): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'lockstep-initdb-'));
  const remove = afterOurEnd('rm -rf "$1"', work);
  try {
    const password = join(work, 'password');
    await writeFile(password, PASSWORD);
    if (user !== null) for (const path of [work, password]) await chown(path, user.uid, user.gid);
    const command = [join(program.home, 'initdb'), '--no-sync', '-D', join(work, 'data'), '-U', USER] as const;
    const options = ['-E', 'UTF8', '--locale=C.UTF-8', '--auth=scram-sha-256', `--pwfile=${password}`];
    await run([...command, ...options], { cwd: work, ...(user === null ? {} : { user }) });
    await copyDirectory(join(work, 'data'), final);
  } finally {
    remove();
  }
}
