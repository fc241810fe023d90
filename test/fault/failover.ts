import type { Connection } from 'mysql2/promise';
import type { Server } from '../../dev/servers/index.ts';
import { inStep, promote, type Pair } from '../../dev/servers/replication.ts';
import { openClient } from '../support/mysql-run.ts';
import type { Proxy } from '../support/proxy.ts';

/** Fails over without loss while sessions write: commits wait until the replica has all, it is promoted, the address leads to it, and the old primary dies. */
export async function failOver({ primary, replica }: Pick<Pair, 'primary' | 'replica'>, proxy: Proxy): Promise<void> {
  const fence = await openClient(primary.url);
  try {
    await fence.query('FLUSH TABLES WITH READ LOCK');
    await inStep({ primary, replica });
    await promote(replica);
    proxy.leadTo(replica.url);
    await primary.kill();
    proxy.cut();
  } finally {
    fence.destroy();
  }
}

/** Keeps a replica from applying anything although its replication runs, until the connection is closed. */
export async function holdBack(replica: Server): Promise<Connection> {
  const lock = await openClient(replica.url);
  await lock.query('FLUSH TABLES WITH READ LOCK');
  return lock;
}
