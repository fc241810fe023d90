import type { Random } from '../random.ts';
import type { SqlValue } from '../sql.ts';

const GIVEN = [
  'Žofie',
  'Amélie',
  '小龍',
  'Αλέξανδρος',
  'עדי',
  'Jürgen',
  "D'Arcy",
  'Nguyễn',
  'Óscar',
  'Łucja',
  '👩‍🚀 Mae',
] as const;
const FAMILY = [
  'Nováková',
  'Groß',
  '李',
  'Παπαδόπουλος',
  'כהן',
  "O'Brien",
  'Müller-Lüdenscheidt',
  'Ångström',
  'Şahin',
] as const;
const WORDS = [
  'quiet',
  'señor',
  'naïve',
  'kafé',
  'tab\there',
  'back\\slash',
  '"quoted"',
  '日本',
  '🙂',
  'line\nbreak',
] as const;
const INTERESTS = ['books', 'music', 'garden', 'tools', 'toys'];
const START_MS = Date.UTC(2019, 0, 1);
const SPAN_MS = 6 * 365 * 86_400_000;

export function personName(random: Random): string {
  return `${random.pick(GIVEN)} ${random.pick(FAMILY)}`;
}

/** A text of a few words, with what breaks careless encoders among them. */
export function words(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(WORDS)).join(' ');
}

/** A date and time with that many fractional digits, `YYYY-MM-DD hh:mm:ss.ffffff`. */
export function moment(random: Random, digits: 0 | 3 | 6): string {
  const iso = new Date(START_MS + Math.floor(random.next() * SPAN_MS)).toISOString().replace('T', ' ');
  const micros = String(random.int(1000)).padStart(3, '0');
  return digits === 0 ? iso.slice(0, 19) : `${iso.slice(0, 23)}${digits === 6 ? micros : ''}`;
}

export function date(random: Random): string {
  return moment(random, 0).slice(0, 10);
}

export function time(random: Random, digits: 0 | 3 | 6): string {
  const two = (below: number): string => String(random.int(below)).padStart(2, '0');
  const fraction = digits === 0 ? '' : `.${String(random.int(10 ** digits)).padStart(digits, '0')}`;
  return `${two(24)}:${two(60)}:${two(60)}${fraction}`;
}

/** An amount of money between 0.00 and `below`, as text. */
export function money(random: Random, below: number): string {
  return (random.int(below * 100) / 100).toFixed(2);
}

export function interests(random: Random): string {
  return INTERESTS.filter(() => random.chance(0.3)).join();
}

export function bits(random: Random, length: number): SqlValue {
  return { sql: `b'${random.int(2 ** length).toString(2)}'` };
}

/** NULL with the given probability, else the value. */
export function maybe(random: Random, absent: number, value: () => SqlValue): SqlValue {
  return random.chance(absent) ? null : value();
}

/** A document with nesting, unicode, empty values and integers that a double cannot hold. */
export function document(random: Random): string {
  const big = `9${String(random.int(1e9)).padStart(9, '0')}${String(random.int(1e8)).padStart(8, '0')}`;
  const name = JSON.stringify(personName(random));
  const list = Array.from({ length: random.int(4) }, () => String(random.int(1000)));
  return `{"id": ${big}, "to": ${name}, "tags": [${list.join(', ')}], "price": ${money(random, 500)}, "ok": ${String(random.chance(0.5))}, "none": null, "nested": {"": [], "é": {"depth": ${String(random.int(9))}}}}`;
}

export function uuid(random: Random): string {
  const hex = random.bytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
