import type { Random } from '../../dev/random.ts';
import { literal, type SqlValue } from '../../dev/sql.ts';
import type { Value } from '../../core/contracts.ts';
import type { Flavour } from '../support/mysql-run.ts';

/** A value at the edge of a type, as SQL; `label` stands in the published table where the SQL is too long to be read. */
export interface Edge {
  readonly sql: string;
  readonly label?: string;
}

/** One row of the matrix: a column, the values tried in it, and more of them at random. */
export interface ParityColumn {
  /** The definition without the name. */
  readonly sql: string;
  readonly edges: readonly (string | Edge)[];
  readonly random: (random: Random) => string;
  /** The canonical values of the first edges, said by hand. */
  readonly is?: readonly Value[];
  /** For readers of the published table. */
  readonly note?: string;
  readonly only?: Flavour;
  /** Made by the server: never written. */
  readonly computed?: true;
}

export const sqlOf = (edge: string | Edge): string => (typeof edge === 'string' ? edge : edge.sql);

/** How an edge is shown to people. */
export const labelOf = (edge: string | Edge): string => (typeof edge === 'string' ? edge : (edge.label ?? edge.sql));

export const oneOf =
  (first: string, ...others: string[]) =>
  (random: Random): string =>
    random.pick([first, ...others]);

export const quoted = (values: readonly SqlValue[]): string[] => values.map(literal);
export const pad = (value: number, length: number): string => String(value).padStart(length, '0');
export const hex = (random: Random, length: number): string => literal(random.bytes(length));

export const digits = (random: Random, length: number): string =>
  Array.from({ length }, () => String(random.int(10))).join('') || '0';
