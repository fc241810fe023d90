import { seeded } from '../../dev/random.ts';
import type { Flavour } from '../support/mysql-run.ts';
import type { ParityColumn } from './column.ts';
import { documents } from './documents.ts';
import { fractions, integers } from './numbers.ts';
import { addresses, bytes, compressedBytes, shapes, specials } from './others.ts';
import { charsets, compressedTexts, labels, texts } from './texts.ts';
import { times } from './times.ts';

/** A table of the matrix: `id`, and a column `c0`, `c1`, … for each of its types; `touched` so that every update is one. */
export interface ParityTable {
  readonly name: string;
  /** Its heading in the published table. */
  readonly title: string;
  readonly columns: readonly ParityColumn[];
  /** Settings of the server, by name, while the table is created and after. */
  readonly settings?: Readonly<Record<string, { readonly during: string; readonly after: string }>>;
  /** Not the same from run to run, and so not published. */
  readonly random?: true;
}

/** What tables that come from MySQL 5.5 or older still have; with fractions, what MariaDB 5.3 to 10.0 made. */
const oldFormat: ParityTable = {
  name: 'old_times',
  title: 'Dates and times in the format before MySQL 5.6',
  columns: times,
  settings: { mysql56_temporal_format: { during: 'OFF', after: 'ON' } },
};

/** How many columns each has. */
const RANDOM_TABLES = [3, 8, 9, 17, 40];

/** A table for each family of types, with the columns that the server knows, and random ones. */
export function parityTables(flavour: Flavour, seed: number): ParityTable[] {
  const all: ParityTable[] = [
    { name: 'integers', title: 'Integers, bits and years', columns: integers },
    { name: 'fractions', title: 'Decimals and floating point', columns: fractions },
    { name: 'texts', title: 'Text', columns: texts },
    { name: 'charsets', title: 'Character sets', columns: charsets },
    { name: 'labels', title: 'ENUM and SET', columns: labels },
    { name: 'bytes', title: 'Bytes', columns: bytes },
    { name: 'compressed', title: 'Compressed columns', columns: [...compressedTexts, ...compressedBytes] },
    { name: 'times', title: 'Dates and times', columns: times },
    ...(flavour === 'mariadb' ? [oldFormat] : []),
    { name: 'documents', title: 'JSON', columns: documents },
    { name: 'shapes', title: 'Geometry and vectors', columns: shapes },
    { name: 'addresses', title: 'Addresses', columns: addresses },
    { name: 'specials', title: 'Generated and invisible columns', columns: specials(flavour) },
  ];
  const known = all
    .map((table) => ({ ...table, columns: table.columns.filter(({ only }) => only === undefined || only === flavour) }))
    .filter(({ columns }) => columns.length > 0);
  return [...known, ...randomTables(known, seed)];
}

/** Tables of columns that have nothing to do with one another, and of random values alone. */
function randomTables(known: readonly ParityTable[], seed: number): ParityTable[] {
  const random = seeded(seed);
  const columns = known
    .flatMap((table) => table.columns)
    .filter(({ computed }) => computed === undefined)
    .map(({ sql, random }): ParityColumn => ({ sql, random, edges: [] }));
  return RANDOM_TABLES.map((count, i) => ({
    name: `random_${i}`,
    title: `Random table ${i} (seed ${seed})`,
    columns: Array.from({ length: count }, () => random.pick(columns as [ParityColumn])),
    random: true,
  }));
}
