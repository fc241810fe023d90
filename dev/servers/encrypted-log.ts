import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackFiles } from './debian.ts';
import { cached } from './install.ts';
import type { Program } from './server.ts';

/** Gives a MySQL a keyring of its own in `data`, and what it is started with to keep its binary log encrypted. */
export async function encryptMysqlLog({ home }: Program, data: string): Promise<readonly string[]> {
  const plugins = join(home, 'lib', 'mysql', 'plugin');
  const settings = {
    [join(home, 'sbin', 'mysqld.my')]: { read_local_manifest: true },
    [join(plugins, 'component_keyring_file.cnf')]: { read_local_config: true },
    [join(data, 'mysqld.my')]: { components: 'file://component_keyring_file' },
    [join(data, 'component_keyring_file.cnf')]: { path: join(data, 'keyring'), read_only: false },
  };
  for (const [file, content] of Object.entries(settings)) await writeOnce(file, JSON.stringify(content));
  return [`--plugin-dir=${plugins}`, '--binlog-encryption=ON'];
}

/** Other servers of the same installation may be reading it. */
async function writeOnce(file: string, content: string): Promise<void> {
  await writeFile(file, content, { flag: 'wx' }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}

/** The same for a MariaDB, whose Debian package of the server alone has no keyring. */
export async function encryptMariadbLog({ version }: Program, data: string): Promise<readonly string[]> {
  const unpacked = await cached(`mariadb-plugins-${version}`, (directory) => unpackFiles('mariadb-server', directory));
  const plugins = join(unpacked, 'usr', 'lib', 'mysql', 'plugin');
  if (!(await readdir(plugins)).includes('file_key_management.so'))
    throw new Error(`mariadb-server ${version} brought no file_key_management: remove ${unpacked} to try again`);
  const keys = join(data, 'keys.txt');
  await writeFile(keys, `1;${'a1b2c3d4'.repeat(8)}\n`);
  return [
    `--plugin-dir=${plugins}`,
    '--plugin-load-add=file_key_management',
    `--file-key-management-filename=${keys}`,
    '--encrypt-binlog=ON',
  ];
}
