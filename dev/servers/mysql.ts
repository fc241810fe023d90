import { createHash } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDebian, unpackPackage } from './debian.ts';
import { encryptMysqlLog } from './encrypted-log.ts';
import { announced, cached, copyDirectory } from './install.ts';
import { initialOptions, mysqlVersion, PASSWORD, ROOT_SQL, rootUrl, sourceSettings } from './mysqlclient.ts';
import { findProgram, isRoot, run } from './process.ts';
import type { Place, Program, Recipe } from './server.ts';

const TITLE = 'MySQL 9.7';
const SETTINGS = ['--gtid-mode=ON', '--enforce-gtid-consistency=ON', '--secure-file-priv=', '--mysqlx=OFF'];

export const mysql: Recipe = {
  kind: 'mysql',
  title: TITLE,
  variable: 'LOCKSTEP_TEST_MYSQL_URL',
  stopSignal: 'SIGTERM',
  abortSignal: 'SIGKILL',
  url: rootUrl,
  probe: mysqlVersion,
  locate,
  install,
  prepare,
  container: (port, { args = [], fast = false }) => ({
    image: 'mysql:9.7',
    env: { MYSQL_ROOT_PASSWORD: PASSWORD },
    args: [...sourceSettings(port, fast), ...SETTINGS, ...args],
  }),
};

/** MariaDB installs a `mysqld` too: only the version tells. */
async function locate(): Promise<Program | null> {
  const file = await findProgram(
    ['mysqld'],
    ['/usr/sbin', '/usr/local/sbin', '/usr/local/mysql/bin', '/opt/mysql/bin'],
  );
  if (file === null) return null;
  const version = await run([file, '--version']);
  if (/mariadb/i.test(version)) return null;
  return { command: [file], home: dirname(dirname(file)), version: versionNumber(version) };
}

function versionNumber(line: string): string {
  return /Ver (\S+)/.exec(line)?.[1] ?? 'unknown';
}

/** Debian carries MySQL in sid alone: it is unpacked beside the system and run with its own C library. */
async function install(): Promise<Program> {
  const directory = await cached('mysql-9.7', async (directory) => {
    if (!(await isDebian())) throw new Error('MySQL 9.7 installs itself only on Debian');
    await announced(TITLE, 10, () => unpackPackage('mysql-server-core', 'sid', directory));
  });
  const libraries = join(directory, 'usr', 'lib');
  for (const platform of await readdir(libraries)) {
    const loader = (await readdir(join(libraries, platform)).catch(() => [])).find((file) => /^ld-.*\.so/.test(file));
    if (loader === undefined) continue;
    const folder = join(libraries, platform);
    const file = join(directory, 'usr', 'sbin', 'mysqld');
    const command = [join(folder, loader), '--library-path', folder, file] as const;
    return { command, home: join(directory, 'usr'), version: versionNumber(await run([...command, '--version'])) };
  }
  throw new Error(`no program loader in ${libraries}: remove ${directory} to install it again`);
}

async function prepare(place: Place): Promise<readonly string[]> {
  const { program, dir, port, args, fast, encryptedLog } = place;
  const data = join(dir, 'data');
  await copyDirectory(await template(program, initialOptions(args)), data);
  return [
    ...program.command,
    ...basics(program, data),
    `--tmpdir=${data}`,
    ...sourceSettings(port, fast),
    ...SETTINGS,
    '--bind-address=127.0.0.1',
    '--socket=mysql.sock',
    ...(fast ? ['--innodb-flush-method=nosync'] : []),
    ...(encryptedLog ? await encryptMysqlLog(program, data) : []),
    ...args,
  ];
}

function basics(program: Program, data: string): string[] {
  return [
    '--no-defaults',
    ...(isRoot() ? ['--user=root'] : []),
    `--basedir=${program.home}`,
    `--lc-messages-dir=${join(program.home, 'share', 'mysql')}`,
    `--datadir=${data}`,
    `--pid-file=${join(data, 'mysqld.pid')}`,
  ];
}

/** An empty data directory. Each server makes its own server_uuid, which a template must not carry. */
async function template(program: Program, options: readonly string[]): Promise<string> {
  const key = createHash('sha256').update(options.join(' ')).digest('hex').slice(0, 8);
  const directory = await cached(`template-mysql-${program.version}-${key}`, async (directory) => {
    const data = join(directory, 'data');
    const sql = join(directory, 'root.sql');
    await writeFile(sql, ROOT_SQL);
    const once = ['--initialize-insecure', `--init-file=${sql}`, '--innodb-flush-method=nosync', ...options];
    await run([...program.command, ...basics(program, data), ...once]);
    await rm(join(data, 'auto.cnf'), { force: true });
  });
  return join(directory, 'data');
}
