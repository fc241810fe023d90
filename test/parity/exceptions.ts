import type { Value } from '../../core/contracts.ts';
import { geoJsonOf } from '../../verify/geometry.ts';
import { exactNumber } from '../../verify/number.ts';

/** Where a value is looked at. Behind Kafka a target has it only if Avro has. */
export type Place = 'postgres' | 'mongodb' | 'avro';

/** A value that a place cannot hold, and what is there instead. Everything that is not in this list arrives as it is. */
export interface Exception {
  readonly in: readonly Place[];
  readonly what: string;
  readonly becomes: string;
  readonly because: string;
  readonly isMeant: (declared: string, value: NonNullable<Value>) => boolean;
  /** Whether the text found, in the form of verify/ as the source's own is, is what is documented. */
  readonly isRight: (found: string | null, source: string | null) => boolean;
}

const isDate = (declared: string): boolean => /^(DATE|DATETIME|TIMESTAMP)\b/.test(declared);
const isZero = (value: unknown): boolean => typeof value === 'string' && /^\d{4}-(00-\d\d|\d\d-00)/.test(value);

const GEOMETRY = /^(?:GEOMETRY|(?:MULTI)?(?:POINT|LINESTRING|POLYGON))/;
const geoJson = (value: Uint8Array): string | null => geoJsonOf(Buffer.from(value).toString('latin1'));
const LONG_NUMBER = /(?<=[[,: ])-?(?:\d{35,}|0\.\d{35,})(?=[\],} ])/;

export const exceptions: readonly Exception[] = [
  {
    in: ['postgres', 'mongodb', 'avro'],
    what: 'zero and partial dates (`0000-00-00`, `2020-00-10`) in a column that may be NULL',
    becomes: 'NULL',
    because: 'they are on no calendar',
    isMeant: (declared, value) => isDate(declared) && isZero(value),
    isRight: (found) => found === null,
  },
  {
    in: ['postgres'],
    what: 'dates of the year 0 (`0000-05-01`) in a column that may be NULL',
    becomes: 'NULL',
    because: "PostgreSQL's calendar goes from 1 BC to 1 AD",
    isMeant: (declared, value) => isDate(declared) && String(value).startsWith('0000-'),
    isRight: (found) => found === null,
  },
  {
    in: ['mongodb'],
    what: 'JSON `null` at the top of a document',
    becomes: 'null',
    because: 'BSON has one null; SQL NULL is the same there',
    isMeant: (declared, value) => declared === 'JSON' && value === 'null',
    isRight: (found) => found === '?null',
  },
  {
    in: ['mongodb'],
    what: 'the SRID, 0 or 4326, of a geometry that GeoJSON can say',
    becomes: 'GeoJSON',
    because: 'GeoJSON has no SRID; others, and collections, are kept as bytes with theirs',
    isMeant: (declared, value) => GEOMETRY.test(declared) && value instanceof Uint8Array && geoJson(value) !== null,
    isRight: (found, source) => source !== null && found === geoJsonOf(source),
  },
  {
    in: ['mongodb'],
    what: 'numbers in JSON with more than 34 digits',
    becomes: 'text with all digits',
    because: "BSON's longest number is Decimal128",
    isMeant: (declared, value) => declared === 'JSON' && LONG_NUMBER.test(String(value)),
    isRight: (found, source) =>
      found?.replaceAll(/"(-?[\d.]{35,})"/g, (_, digits: string) => exactNumber(digits)) === source,
  },
];

export function exceptionFor(place: Place, declared: string, value: NonNullable<Value>): Exception | undefined {
  return exceptions.find((each) => each.in.includes(place) && each.isMeant(declared, value));
}
