import type { Flavour } from '../support/mysql-run.ts';
import { labelOf, type ParityColumn } from './column.ts';
import { exceptions, type Place } from './exceptions.ts';
import { refusals } from './refusals.ts';
import type { Found, Outcome, Reading } from './run.ts';
import { chapters } from './structures.ts';
import { exceptionsMet, imageProblems, readingProblems } from './verdict.ts';

const LONGEST_EDGE = 60;
const LONGEST_TYPE = 50;

const names: Readonly<Record<Place, string>> = { postgres: 'PostgreSQL', mongodb: 'MongoDB', avro: 'Avro' };

/** Everything that does not arrive as it is. */
export function exceptionsOf(): string[] {
  const becoming = exceptions.flatMap(({ in: places, what, becomes, because }) =>
    places.map((place) => cells(what, names[place], becomes, because)),
  );
  const stopping = refusals.map(({ in: place, what, code: stop, because, heldBy, column }) =>
    cells(what, code(column), names[place], code(stop), because, heldBy.map((each) => names[each]).join(', ')),
  );
  return [
    'These values become something else, and no others do:',
    '',
    '| value | in | becomes | because |',
    '|---|---|---|---|',
    ...becoming,
    '',
    'These stop the pipeline, at the copy and in the stream, with a code that says what to do; nothing is put in their place:',
    '',
    '| value | column | in | stops with | because | held by |',
    '|---|---|---|---|---|---|',
    ...stopping,
  ];
}

/** The page's beginning: what it proves, and how. */
export const introduction = [
  'A value is the same however it travels. This page is written by the tests that prove it (`npm run parity`), and they fail when it is not current.',
  '',
  'Every row is a column of a real server. Each of its values, some at random, and NULL are copied by the snapshot; inserted, updated from and to',
  'another value, and deleted in the binary log. All images of each row must be what SQL on the source itself says the value is, asked without any code',
  'of the connector. Then the tables are read back from PostgreSQL and MongoDB, reached directly and through Kafka, and from the topics, by',
  'readers that share no code with Lockstep’s, and compared with the source value by value.',
  '',
  'In the targets JSON is compared by what it says: jsonb and BSON keep no spaces and only the last of equal keys, and jsonb does not keep the order of keys.',
  '',
  '*equal* in a column means that all of this holds there. The type before it is the one that the server, or the schema registry, gives.',
];

/** A server's part of the published page: what was tried, and what was found. Nothing in it changes from run to run. */
export function sectionOf(flavour: Flavour, outcome: Outcome): string[] {
  const published = outcome.tables.filter(({ table }) => table.random !== true);
  const tables = published.flatMap((found) => [
    `### ${found.table.title}`,
    '',
    '| type | values tried, beside random ones and NULL | snapshot = stream = SQL | PostgreSQL | MongoDB | Avro | note |',
    '|---|---|---|---|---|---|---|',
    ...found.table.columns.map((column, i) => line(found, column, i)),
    '',
  ]);
  const differs = new Map(outcome.structures.map((each) => [each.structure.name, each.differs]));
  const stories = chapters(flavour).flatMap(({ title, structures }) => [
    `### ${title}`,
    '',
    '| what | snapshot = stream = SQL = PostgreSQL = MongoDB, direct and through Kafka |',
    '|---|---|',
    ...structures.map(({ name, title: what, notByKafka }) =>
      cells(
        what,
        `${differs.get(name)?.length === 0 ? 'equal' : 'DIFFERS'}${notByKafka === undefined ? '' : `, directly; ${notByKafka}`}`,
      ),
    ),
    '',
  ]);
  return [...tables, ...stories];
}

function line(found: Found, column: ParityColumn, i: number): string {
  const edges = [...new Set(column.edges.map((edge) => code(cut(labelOf(edge), LONGEST_EDGE))))];
  return cells(
    code(cut(column.sql, LONGEST_TYPE)),
    column.computed === true ? 'computed by the server' : edges.join(' '),
    imageProblems(found, i).length === 0 ? 'equal' : 'DIFFERS',
    ...(['postgres', 'mongodb', 'avro'] as const).map((place) => verdict(found, i, place)),
    column.note ?? '',
  );
}

const readings: Readonly<Record<Place, readonly Reading[]>> = {
  postgres: ['direct postgres', 'kafka postgres'],
  mongodb: ['direct mongodb', 'kafka mongodb'],
  avro: ['avro'],
};

function verdict(found: Found, i: number, place: Place): string {
  const type = found.types[place][i + 1] ?? '';
  const equal = readings[place].every((reading) => readingProblems(found, i, reading).length === 0);
  const met = exceptionsMet(found, i, place).map(({ becomes }) => becomes);
  const verdict = [equal ? 'equal' : 'DIFFERS', ...met.map((becomes) => `${becomes} by rule`)].join('; ');
  return `${code(type)} ${verdict}`;
}

function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length).join('')}…` : text;
}

/** Code in a cell of a table: what cannot be seen is named, and nothing ends the cell or the code. */
function code(text: string): string {
  const escaped = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`;
  const flat = text.replaceAll(/[\p{C}\p{M}]/gu, escaped).replaceAll('|', '\\|');
  return flat.includes('`') ? `\`\` ${flat} \`\`` : `\`${flat}\``;
}

function cells(...texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`;
}
