import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../dev/servers/index.ts';
import type { Flavour } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { checkSection } from './page.ts';
import { sectionOf } from './report.ts';
import { runParity, type Outcome, type Reading } from './run.ts';
import { chapters } from './structures.ts';
import { parityTables } from './tables.ts';
import { imageProblems, readingProblems } from './verdict.ts';

const readings: readonly Reading[] = ['direct postgres', 'direct mongodb', 'avro', 'kafka postgres', 'kafka mongodb'];

/** Registers the matrix of one server: a test per column and per structure, and one for the page that publishes them. */
export function registerParity(flavour: Flavour): void {
  const servers = new AsyncDisposableStack();
  let outcome: Outcome;

  beforeAll(async () => {
    const started = await Promise.all(
      ([flavour, 'postgres', 'mongodb', 'kafka'] as const).map(async (kind) =>
        servers.use(await startServer(kind, { fast: true, own: true })),
      ),
    );
    const [source, postgres, mongodb, kafka] = started;
    if (source === undefined || postgres === undefined || mongodb === undefined || kafka === undefined)
      throw new Error('a server is missing');
    outcome = await runParity(flavour, seed, { source, postgres, mongodb, kafka });
  });
  afterAll(() => servers.disposeAsync());

  describe.each(parityTables(flavour, seed).map((table, i) => [table.title, table, i] as const))(
    '%s',
    (_, table, at) => {
      it.each(table.columns.map(({ sql }, i) => [sql.slice(0, 60), i] as const))(
        '%s is one value in the copy, the stream, both targets and the topics',
        (_, column) => {
          const found = outcome.tables[at];
          if (found === undefined) throw new Error(`${table.name} was not run`);
          const problems = Object.fromEntries([
            ['source', imageProblems(found, column)],
            ...readings.map((reading) => [reading, readingProblems(found, column, reading)] as const),
          ]);
          const none = Object.fromEntries(Object.keys(problems).map((where) => [where, []]));
          expect(problems, `seed ${seed}`).toEqual(none);
        },
      );
    },
  );

  const structures = chapters(flavour).flatMap((chapter) => chapter.structures);
  it.each(structures.map(({ title, name }, i) => [title.slice(0, 60), name, i] as const))(
    'a table with %s is the same everywhere (%s)',
    (_, name, i) => {
      expect(outcome.structures[i]).toMatchObject({ structure: { name }, differs: [] });
    },
  );

  it('is published as it is', () => {
    checkSection(flavour, sectionOf(flavour, outcome));
  });
}
