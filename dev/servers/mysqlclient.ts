import { createConnection } from 'mysql2/promise';
import type { RowDataPacket } from 'mysql2/promise';

export const PASSWORD = 'pw';

/** For a fresh data directory: root with a password, from everywhere. One statement per line, as bootstrapping wants. */
export const ROOT_SQL = `ALTER USER root@localhost IDENTIFIED BY '${PASSWORD}';
CREATE USER root@'%' IDENTIFIED BY '${PASSWORD}';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
`;

export function rootUrl(port: number): string {
  return `mysql://root:${PASSWORD}@127.0.0.1:${port}`;
}

/** The server's version, from a real query. Throws while it cannot answer. */
export async function mysqlVersion(url: string): Promise<string> {
  const connection = await createConnection({ uri: url, connectTimeout: 5000 });
  try {
    const [rows] = await connection.query<(RowDataPacket & { version: string })[]>('SELECT VERSION() AS version');
    return rows[0]?.version ?? 'unknown';
  } finally {
    connection.destroy();
  }
}

/** Options that are fixed when a data directory is made, among a server's arguments. */
export function initialOptions(args: readonly string[]): string[] {
  return args.filter((arg) => /^--(lower[-_]case[-_]table[-_]names|innodb[-_]page[-_]size)=/.test(arg));
}

/** What MySQL and MariaDB have in common: a source that can be replicated from, with nothing lost at a crash. */
export function sourceSettings(port: number, fast: boolean): string[] {
  return [
    `--port=${port}`,
    `--server-id=${port}`,
    '--log-bin=binlog',
    '--binlog-format=ROW',
    '--binlog-row-image=FULL',
    '--binlog-row-metadata=FULL',
    '--max-allowed-packet=1G',
    ...(fast
      ? ['--sync-binlog=0', '--innodb-flush-log-at-trx-commit=2']
      : ['--sync-binlog=1', '--innodb-flush-log-at-trx-commit=1']),
  ];
}
