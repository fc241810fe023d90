import { parseArgs } from 'node:util';
import { KINDS, startServer, variableOf } from './index.ts';
import type { Kind, Server } from './index.ts';

const USAGE = `npm run servers -- [${KINDS.join('] [')}] [--fast] [--keep] [--install]

Starts these servers (all of them when none is named) and stops them at Ctrl-C.
  --fast     without fsync
  --keep     leave them running and end
  --install  only make sure that they can be started
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fast: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const kinds = positionals.length === 0 ? KINDS : positionals.map(parseKind);
  if (values.help) console.log(USAGE);
  else if (values.install) await install(kinds);
  else await serve(kinds, values.fast, values.keep);
}

function parseKind(name: string): Kind {
  const kind = KINDS.find((kind) => kind === name);
  if (kind === undefined) throw new Error(`no server is called ${name}\n\n${USAGE}`);
  return kind;
}

async function install(kinds: readonly Kind[]): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const kind of kinds) {
    const server = await startServer(kind, { own: true, fast: true }); // the proof that nothing is missing
    rows.push([kind, server.version, server.origin]);
    await server.stop();
  }
  printTable(rows);
}

async function serve(kinds: readonly Kind[], fast: boolean, keep: boolean): Promise<void> {
  const servers: Server[] = [];
  for (const kind of kinds) servers.push(await startServer(kind, { fast, keep }));
  printTable(servers.map(({ kind, version, url, origin }) => [kind, version, url, origin]));
  console.log();
  for (const { kind, url } of servers) console.log(`export ${await variableOf(kind)}='${url}'`);
  const pids = servers.flatMap(({ pid }) => pid ?? []);
  if (keep) return console.log(pids.length === 0 ? '' : `\nThey run until: kill ${pids.join(' ')}`);
  console.log('\nThey run until Ctrl-C.');
  await interrupted();
  await Promise.all(servers.map((server) => server.stop()));
}

async function interrupted(): Promise<void> {
  const idle = setInterval(() => {}, 60_000);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  clearInterval(idle);
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

await main().catch((failure: unknown) => {
  console.error(failure instanceof Error ? failure.message : failure);
  process.exitCode = 1;
});
