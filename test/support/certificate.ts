import { chmod, chown, copyFile, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../../dev/servers/debian.ts';
import type { Server } from '../../dev/servers/index.ts';
import { run } from '../../dev/servers/process.ts';
import { onPostgres } from '../e2e/scene.ts';

/** Paths of PEM files that every server may read. */
export interface Certificate {
  /** It vouches for itself: who trusts it names it as the authority. */
  readonly certificate: string;
  readonly key: string;
  /** Key and certificate in one file. */
  readonly both: string;
}

/** Makes one that is good for a day. */
export async function makeCertificate(names = 'DNS:localhost,IP:127.0.0.1'): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-tls-'));
  await chmod(directory, 0o755);
  const [certificate, key, both] = ['certificate.pem', 'key.pem', 'both.pem'].map((name) => join(directory, name));
  if (certificate === undefined || key === undefined || both === undefined) throw new Error('no paths');
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const openssl = await program('openssl', 'openssl');
  await run([
    openssl,
    'req',
    ...kind,
    '-subj',
    '/CN=lockstep',
    '-addext',
    `subjectAltName=${names}`,
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  await writeFile(both, (await readFile(key, 'utf8')) + (await readFile(certificate, 'utf8')));
  for (const file of [certificate, key, both]) await chmod(file, 0o644);
  return { certificate, key, both };
}

/** Turns TLS on in a running PostgreSQL of this machine, which reads a key only if it is its own and nobody else's. */
export async function secure(postgres: Server, { certificate, key }: Certificate): Promise<void> {
  const data = join(postgres.dir ?? '', 'data');
  const { uid, gid } = await stat(data);
  for (const [from, name] of [[certificate, 'server.crt'] as const, [key, 'server.key'] as const]) {
    const file = join(data, name);
    await copyFile(from, file);
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  }
  await onPostgres(postgres.url, 'ALTER SYSTEM SET ssl = on');
  await onPostgres(postgres.url, 'SELECT pg_reload_conf()');
}
