import { Double } from 'mongodb';
import { integerDecimal128, MAX_DIGITS, scaledDecimal128 } from './decimal128.ts';

/** Says why a value cannot be carried; throws. */
export type Refuse = (why: string) => never;

/** MongoDB holds 100 levels for sure, MySQL allows 100, MariaDB 32 (their manuals); the row and the column are two more. */
const maxDepth = 150;

interface Reader {
  readonly text: string;
  readonly refuse: Refuse;
  at: number;
}

/**
 * JSON text as BSON values: integers Int32 or Long, numbers that a double holds exactly as they are written double, others Decimal128 (above
 * 34 digits their text); objects keep the order of their keys, and every key is data, `__proto__` and `$set` too.
 */
export function bsonOfJson(text: string, refuse: Refuse): unknown {
  const reader: Reader = { text, refuse, at: 0 };
  const value = readValue(reader, 0);
  skipSpace(reader);
  return reader.at === text.length ? value : refuse('it is not JSON');
}

function readValue(reader: Reader, depth: number): unknown {
  if (depth > maxDepth) reader.refuse(`it is nested deeper than ${String(maxDepth)} levels`);
  skipSpace(reader);
  switch (reader.text.charAt(reader.at)) {
    case '{':
      return readObject(reader, depth + 1);
    case '[':
      return readArray(reader, depth + 1);
    case '"':
      return readString(reader);
    case 't':
      return readWord(reader, 'true', true);
    case 'f':
      return readWord(reader, 'false', false);
    case 'n':
      return readWord(reader, 'null', null);
    default:
      return readNumber(reader);
  }
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
    reader.at += 1;
  }
}

/** Skips `character` if it comes next. */
function skip(reader: Reader, character: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== character) return false;
  reader.at += 1;
  return true;
}

function readWord<T>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) reader.refuse('it is not JSON');
  reader.at += word.length;
  return value;
}

/** Keys that a plain object would take for something else or put into another order. Source: ECMA-262, OrdinaryOwnPropertyKeys; js-bson. */
const special = /^(?:\d+|__proto__|_bsontype|toBSON)$/;

/** Whether a plain object cannot carry this key as data. */
export function needsMap(key: string): boolean {
  const first = key.charCodeAt(0);
  return (isDigit(first) || first === 95 || first === 116) && special.test(key); // _ t: what else `special` begins with
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function readObject(reader: Reader, depth: number): unknown {
  reader.at += 1;
  let plain: Record<string, unknown> = {};
  let map: Map<string, unknown> | null = null;
  if (skip(reader, '}')) return plain;
  do {
    skipSpace(reader);
    const key = readString(reader);
    if (key.includes('\0')) reader.refuse('a key of it holds U+0000');
    if (!skip(reader, ':')) reader.refuse('it is not JSON');
    const value = readValue(reader, depth);
    if (map === null && needsMap(key)) {
      map = new Map(Object.entries(plain));
      plain = {};
    }
    if (map === null) plain[key] = value;
    else map.set(key, value);
  } while (skip(reader, ','));
  return skip(reader, '}') ? (map ?? plain) : reader.refuse('it is not JSON');
}

function readArray(reader: Reader, depth: number): unknown[] {
  reader.at += 1;
  const values: unknown[] = [];
  if (skip(reader, ']')) return values;
  do values.push(readValue(reader, depth));
  while (skip(reader, ','));
  return skip(reader, ']') ? values : reader.refuse('it is not JSON');
}

function readString(reader: Reader): string {
  const { text, at } = reader;
  if (text[at] !== '"') reader.refuse('it is not JSON');
  let escaped = false;
  let end = at + 1;
  for (; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    if (code === 34) break;
    if (code !== 92) continue;
    escaped = true;
    end += 1;
  }
  if (end >= text.length) reader.refuse('it is not JSON');
  reader.at = end + 1;
  return escaped ? unescape(text.slice(at, end + 1), reader.refuse) : text.slice(at + 1, end);
}

function unescape(quoted: string, refuse: Refuse): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return refuse('it is not JSON');
  }
}

const number = /-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;

/** Most numbers are short integers, and an expression that matches makes an array of each. */
function readNumber(reader: Reader): unknown {
  return readShort(reader) ?? readAny(reader);
}

/** An integer of at most nine digits without a sign; null, and nothing read, where there is another one. */
function readShort(reader: Reader): number | null {
  const { text, at } = reader;
  let value = 0;
  let end = at;
  for (let code = text.charCodeAt(end); isDigit(code) && end < at + 9; code = text.charCodeAt((end += 1)))
    value = value * 10 + code - 48;
  const next = text.charCodeAt(end);
  if (end === at || isDigit(next) || next === 46 || next === 69 || next === 101) return null; // . E e
  reader.at = end;
  return value;
}

function readAny(reader: Reader): unknown {
  number.lastIndex = reader.at;
  const match = number.exec(reader.text);
  if (match === null) return reader.refuse('it is not JSON');
  const [token, whole = '', fraction, exponent] = match;
  reader.at += token.length;
  if (fraction === undefined && exponent === undefined) return integer(token, whole.length);
  return fractional(token, whole + (fraction ?? ''), Number(exponent ?? 0) - (fraction ?? '').length);
}

function integer(token: string, length: number): unknown {
  if (length < 10) return Number(token);
  const value = BigInt(token);
  if (BigInt.asIntN(32, value) === value) return Number(value);
  if (BigInt.asIntN(64, value) === value) return value;
  return length <= MAX_DIGITS ? integerDecimal128(value) : token;
}

function fractional(token: string, digits: string, exponent: number): unknown {
  const value = Number(token);
  // Any 15 digits survive the way through a double (IEEE 754); of longer ones only those that it prints itself.
  const held =
    (digits.length <= 15 && Math.abs(exponent) < 290) ||
    (Number.isFinite(value) && sameNumber(String(value), digits, exponent));
  if (held) return doubleOf(value);
  return scaledDecimal128(token.startsWith('-'), digits, exponent) ?? token;
}

/** Whether `printed` is digits × 10^exponent. */
function sameNumber(printed: string, digits: string, exponent: number): boolean {
  const [, whole = '', fraction = '', power = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(printed) ?? [];
  return normal(whole + fraction, Number(power) - fraction.length) === normal(digits, exponent);
}

function normal(digits: string, exponent: number): string {
  const significant = digits.replace(/^0+/, '');
  const short = significant.replace(/0+$/, '');
  return short === '' ? '0' : `${short}e${String(exponent + significant.length - short.length)}`;
}

/** A number as a BSON double: the driver would make an Int32 of 1.0. */
export function doubleOf(value: number): unknown {
  return Number.isInteger(value) ? new Double(value) : value;
}
