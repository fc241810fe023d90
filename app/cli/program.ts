import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { EXIT, sayError, type Exit } from './output.ts';
import type { RejectAction, RejectOptions } from './rejects.ts';
import type { TableAction } from '../../core/request.ts';
import type { TableOptions } from './table.ts';

/** Runs the command line and ends the process with the exit code: 0 done, 1 failed, 2 wrong usage, 3 differences, 4 blocked by a check. */
export async function main(argv: readonly string[]): Promise<void> {
  // Who reads our output may leave (`| head`, a closed log); the work goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const code = await execute(argv);
  // What a driver left open must not keep the process; what was written must still reach a pipe.
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(code);
}

async function execute(argv: readonly string[]): Promise<Exit> {
  let code: Exit = EXIT.done;
  const program = lockstep((exit) => (code = exit));
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return sayError(error, argv.includes('--json'));
  }
}

const RUN_HELP = `
Each target keeps its own place, so a run can be stopped at any time and goes on where it was.
Stops in good order on SIGINT or SIGTERM, within 5 seconds; a second signal ends it at once.

Errors that heal by themselves (a server that restarts, a network that is away) are tried again after
0.2 s, and ever more slowly up to every 30 s. Any other error stops the run and exits with 1.

Examples:
  lockstep run shop.yaml
  lockstep run shop.yaml --until caught-up --json > counts.json
  lockstep run shop.yaml --only warehouse`;

const DOCTOR_HELP = `
Checks connections, versions, settings and rights of the source, Kafka, the schema registry and each target.
Changes nothing. Each line is pass, warn or fail; a failed one says what mends it. Exits with 4 if any failed.`;

const PLAN_HELP = `
Reads the source's tables and says where each goes, what becomes of each column, and what cannot be carried.
Changes nothing. Exits with 4 if a column cannot be carried or two tables would land on one name.

With --ddl it says instead what a statement would come to in each target if it were run at the source now:
  lockstep plan shop.yaml --ddl 'ALTER TABLE shop.orders ADD COLUMN note TEXT'
It runs nothing, and exits with 4 if the statement would stop the pipeline.`;

const STATUS_HELP = `
Shows how far each target has come: the place in the source's history it holds, and the copy of each table.
Reads only what the targets keep, so it works while nothing runs. A running process says more at /status of http.listen.`;

const REJECTS_HELP = `
A change that a target refuses is set aside as a dead letter, and so are the later changes of its key; the rest goes on. They are kept in the
target until you retry or drop them. Works beside a running pipeline, which takes the keys up again with their next change.

  list   what is set aside, and why
  show   the same with the rows' values
  retry  apply it in the source's order, all changes of a key or none; exits with 1 if some is still refused
  drop   forget it: the target keeps these rows as they are, out of step with the source

Rows whose keys changed into each other are always taken together.

Examples:
  lockstep rejects list shop.yaml --table shop.orders
  lockstep rejects retry shop.yaml --table shop.orders --key 4711`;

const TABLE_HELP = `
Asks something of one table of the source, \`database.table\`, while the pipeline runs; the stream goes on. What is asked is kept in the
target: a process that runs takes it up within a second, else the next one does. lockstep status shows what waits and what is done.

  add     copy and follow a table that source.tables takes in by now, without a restart
  remove  follow it no longer; the target keeps its rows, or with --drop drops them
  pause   begin no further chunk of its copy, now or later; its changes go on
  resume  go on with its copy where it was
  resync  copy it again, without locks: all of it, or with --where the rows that are named

Examples:
  lockstep table resync shop.yaml shop.orders --target warehouse
  lockstep table resync shop.yaml shop.orders --where 'customer_id IN (7, 8)'`;

/** The command line; `done` is called with the exit code of the command that ran. */
function lockstep(done: (code: Exit) => void): Command {
  const program = new Command('lockstep')
    .description('Keeps one database in step with another while both are in use, until you are ready to switch.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText(
      'after',
      `\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 differences found, 4 blocked by a check.`,
    )
    .showHelpAfterError('(lockstep --help says what there is)')
    .exitOverride();
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .helpOption('-h, --help', 'print this help')
      .showHelpAfterError(`(lockstep ${name} --help says more)`)
      .exitOverride();
  const onFile = (name: string, description: string): Command =>
    command(name, description)
      .argument('<file>', 'the configuration file')
      .option('--json', 'print the outcome as one JSON object; what is for people goes to standard error', false);

  onFile('run', 'copy what is there, then follow every change')
    .option('--only <part>', '`source` (what reads the source into Kafka) or the name of one target', nonEmpty)
    .option('--until <moment>', '`caught-up`: end once all that the source holds now is in the targets', caughtUp)
    .addHelpText('after', RUN_HELP)
    .action(async (file: string, options: { only?: string; until?: 'caught-up'; json: boolean }) => {
      const { run } = await import('./run.ts');
      done(await run(file, { only: options.only ?? null, until: options.until ?? null, json: options.json }));
    });
  onFile('doctor', 'check connections, settings and rights, and say what mends them')
    .addHelpText('after', DOCTOR_HELP)
    .action(async (file: string, { json }: { json: boolean }) =>
      done(await (await import('./doctor.ts')).doctor(file, json)),
    );
  onFile('plan', 'show what will be created and converted, and what cannot be carried')
    .option('--ddl <statement>', 'show what this statement would come to, without running it', nonEmptyStatement)
    .addHelpText('after', PLAN_HELP)
    .action(async (file: string, { ddl, json }: { ddl?: string; json: boolean }) => {
      if (ddl === undefined) done(await (await import('./plan.ts')).plan(file, json));
      else done(await (await import('./plan-ddl.ts')).planStatement(file, ddl, json));
    });
  onFile('status', 'show how far each target has come')
    .addHelpText('after', STATUS_HELP)
    .action(async (file: string, { json }: { json: boolean }) =>
      done(await (await import('./status.ts')).status(file, json)),
    );
  const rejects = command('rejects', 'see, retry or drop the changes that targets refused').addHelpText(
    'after',
    REJECTS_HELP,
  );
  for (const [action, description] of rejectActions) {
    rejects
      .command(action)
      .description(description)
      .argument('<file>', 'the configuration file')
      .option('--target <name>', 'only those of this target; `kafka` is what publishes there', nonEmpty)
      .option('--table <table>', 'only those of this table of the source, `database.table`', nonEmpty)
      .option('--key <key>', 'only those of this key: its value, or a JSON array of several', nonEmpty)
      .option('--json', 'print the outcome as one JSON object; what is for people goes to standard error', false)
      .helpOption('-h, --help', 'print this help')
      .exitOverride()
      .action(async (file: string, options: RejectOptions) =>
        done(await (await import('./rejects.ts')).rejects(action, file, options)),
      );
  }
  const table = command('table', 'add, remove, pause or copy again one table of a running pipeline').addHelpText(
    'after',
    TABLE_HELP,
  );
  for (const [action, description] of tableCommands) {
    const of = table
      .command(action)
      .description(description)
      .argument('<file>', 'the configuration file')
      .argument('<table>', 'the table of the source, `database.table`', tableName)
      .option('--target <name>', 'only in this target', nonEmpty)
      .option('--json', 'print the outcome as one JSON object; what is for people goes to standard error', false)
      .helpOption('-h, --help', 'print this help')
      .exitOverride()
      .action(async (file: string, origin: string, options: TableOptions) =>
        done(await (await import('./table.ts')).table(action, file, origin, options)),
      );
    if (action === 'remove') of.option('--drop', 'let the target drop the table with its rows', false);
    if (action === 'resync') of.option('--where <condition>', 'only these rows: `column = value AND …`', nonEmpty);
  }
  command('config-schema', 'print the JSON Schema of the configuration file, for editors').action(async () => {
    const { configJsonSchema } = await import('../config/load.ts');
    process.stdout.write(`${JSON.stringify(await configJsonSchema(), null, 2)}\n`);
  });
  return program;
}

const rejectActions: readonly (readonly [action: RejectAction, description: string])[] = [
  ['list', 'what is set aside, and why'],
  ['show', "the same with the rows' values"],
  ['retry', "apply it in the source's order"],
  ['drop', 'forget it'],
];

const tableCommands: readonly (readonly [action: TableAction, description: string])[] = [
  ['add', 'copy and follow a table that source.tables takes in by now'],
  ['remove', 'follow a table no longer'],
  ['pause', 'begin no further chunk of its copy'],
  ['resume', 'go on with its copy'],
  ['resync', 'copy it again, or some of its rows'],
];

function tableName(value: string): string {
  if (/^[^.]+\.[^*]+$/.test(value)) return value;
  throw new InvalidArgumentError('Name one table as database.table.');
}

function caughtUp(value: string): 'caught-up' {
  if (value === 'caught-up') return value;
  throw new InvalidArgumentError('The only moment there is: caught-up.');
}

function nonEmptyStatement(value: string): string {
  if (value.trim() !== '') return value;
  throw new InvalidArgumentError('Name a statement.');
}

function nonEmpty(value: string): string {
  if (value !== '') return value;
  throw new InvalidArgumentError('It must not be empty.');
}

function version(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof content === 'object' && content !== null && 'version' in content ? String(content.version) : 'unknown';
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}
