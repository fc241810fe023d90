import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { installPackages } from './debian.ts';
import { encryptMariadbLog } from './encrypted-log.ts';
import { cached, copyDirectory } from './install.ts';
import { initialOptions, mysqlVersion, PASSWORD, ROOT_SQL, rootUrl, sourceSettings } from './mysqlclient.ts';
import { findProgram, isRoot, run } from './process.ts';
import type { Place, Program, Recipe } from './server.ts';

const PACKAGES = ['mariadb-server-core', 'mariadb-client-core'];

export const mariadb: Recipe = {
  kind: 'mariadb',
  title: 'MariaDB',
  variable: 'LOCKSTEP_TEST_MARIADB_URL',
  stopSignal: 'SIGTERM',
  abortSignal: 'SIGKILL',
  url: rootUrl,
  probe: mysqlVersion,
  locate,
  install,
  prepare,
  container: (port, { args = [], fast = false }) => ({
    image: 'mariadb:10.11',
    env: { MARIADB_ROOT_PASSWORD: PASSWORD },
    args: [...sourceSettings(port, fast), '--gtid-strict-mode=ON', ...args],
  }),
};

/** `home` is the script that makes an empty data directory, which Debian puts into another package. */
async function locate(): Promise<Program | null> {
  const file = await findProgram(['mariadbd'], ['/usr/sbin', '/usr/local/sbin', '/usr/local/mysql/bin']);
  const initialise = await findProgram(['mariadb-install-db'], ['/usr/local/mysql/scripts']);
  const defaults = await findProgram(['my_print_defaults'], ['/usr/local/mysql/bin']); // the script calls it
  if (file === null || initialise === null || defaults === null) return null;
  const version = /Ver (\S+)/.exec(await run([file, '--version']))?.[1] ?? 'unknown';
  return { command: [file], home: initialise, version };
}

async function install(): Promise<Program> {
  await installPackages(PACKAGES, 'MariaDB', `apt-get install ${PACKAGES.join(' ')}, or the like of your system`);
  const program = await locate();
  if (program === null) throw new Error(`${PACKAGES.join(' and ')} were installed and brought no mariadbd`);
  return program;
}

async function prepare(place: Place): Promise<readonly string[]> {
  const { program, dir, port, args, fast, encryptedLog } = place;
  const data = join(dir, 'data');
  await copyDirectory(await template(program, initialOptions(args)), data);
  return [
    ...program.command,
    ...basics(data),
    ...sourceSettings(port, fast),
    '--gtid-strict-mode=ON',
    '--bind-address=127.0.0.1',
    '--socket=mysql.sock',
    `--pid-file=${join(data, 'mariadbd.pid')}`,
    ...(fast ? ['--innodb-flush-method=nosync'] : []),
    ...(encryptedLog ? await encryptMariadbLog(program, data) : []),
    ...args,
  ];
}

/** The directory for temporary files is the server's own: at its start a server deletes what others have open in a shared one. */
function basics(data: string): string[] {
  return ['--no-defaults', ...(isRoot() ? ['--user=root'] : []), `--datadir=${data}`, `--tmpdir=${data}`];
}

async function template(program: Program, options: readonly string[]): Promise<string> {
  const key = createHash('sha256').update(options.join(' ')).digest('hex').slice(0, 8);
  const directory = await cached(`template-mariadb-${program.version}-${key}`, async (directory) => {
    const data = join(directory, 'data');
    const once = ['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-flush-method=nosync'];
    const anyHost = '--force'; // also where the machine's own name does not resolve
    await run([program.home, anyHost, ...basics(data), ...once, ...options]);
    const input = `FLUSH PRIVILEGES;\n${ROOT_SQL}`;
    await run([...program.command, ...basics(data), '--bootstrap', ...options], { input });
    await rm(join(data, 'ibtmp1'), { force: true });
  });
  return join(directory, 'data');
}
