import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { announced, cached } from './install.ts';
import { java, mavenCopy } from './java.ts';
import { run } from './process.ts';
import type { Place, Program, Recipe } from './server.ts';

const VERSION = '2.6.13.Final';
const TITLE = 'Apicurio Registry 2.6';
const ARCHIVE = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all` as const;

export const registry: Recipe = {
  kind: 'registry',
  title: TITLE,
  variable: 'LOCKSTEP_TEST_REGISTRY_URL',
  stopSignal: 'SIGTERM',
  abortSignal: 'SIGKILL',
  url: (port) => `http://127.0.0.1:${port}/apis/ccompat/v7`,
  probe,
  locate: async () => null,
  install,
  prepare,
  container: (port, { args = [] }) => ({
    image: `apicurio/apicurio-registry-mem:${VERSION}`,
    env: environment([`quarkus.http.port=${port}`, ...args]),
    args: [],
  }),
};

/** The version that Apicurio tells beside the Confluent API; of another registry only that it answers. */
async function probe(url: string): Promise<string> {
  const limit = { signal: AbortSignal.timeout(5000) };
  const subjects = await fetch(`${url}/subjects`, limit);
  if (!subjects.ok) throw new Error(`GET /subjects answers ${subjects.status}`);
  await subjects.body?.cancel();
  const information = await fetch(new URL('/apis/registry/v2/system/info', url), limit);
  if (!information.ok) return 'unknown';
  const body: unknown = await information.json();
  return typeof body === 'object' && body !== null && 'version' in body ? String(body.version) : 'unknown';
}

async function install(): Promise<Program> {
  const file = await java();
  const directory = await cached(`registry-${VERSION}`, (directory) =>
    announced(TITLE, 10, async () => {
      await mavenCopy([ARCHIVE], false, directory);
      const archive = (await readdir(directory)).find((file) => file.endsWith('.tar.gz'));
      if (archive === undefined) throw new Error(`Maven brought no ${ARCHIVE}`);
      await run(['tar', '-xzf', join(directory, archive), '-C', directory]);
      await rm(join(directory, archive));
    }),
  );
  return { command: [file], home: directory, version: VERSION };
}

/** Schemas are kept in a file and written at each commit, so that they survive `restart()` and `kill()`. */
async function prepare({ program, dir, port, args, fast }: Place): Promise<readonly string[]> {
  return [
    ...program.command,
    '-Xms64m',
    '-Xmx512m',
    ...(fast ? ['-XX:TieredStopAtLevel=1'] : []),
    '-Dquarkus.http.host=127.0.0.1',
    `-Dquarkus.http.port=${port}`,
    `-Dquarkus.datasource.jdbc.url=jdbc:h2:file:${join(dir, 'data', 'registry')};WRITE_DELAY=0`,
    ...args.map((setting) => `-D${setting}`),
    '-jar',
    join(program.home, `apicurio-registry-app-${VERSION}-runner.jar`),
  ];
}

/** Quarkus reads a setting from a variable of its name, too: quarkus.http.port from QUARKUS_HTTP_PORT. */
function environment(settings: readonly string[]): Record<string, string> {
  const pairs = settings.map((setting) => /^([^=]*)=(.*)$/s.exec(setting) ?? []);
  return Object.fromEntries(
    pairs.map(([, name = '', value = '']) => [name.toUpperCase().replaceAll(/\W/g, '_'), value]),
  );
}
