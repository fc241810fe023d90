import type { Bytes } from '../../core/bytes.ts';
import { isValidUtf8 } from '../../core/utf8.ts';
import {
  appendAny,
  ARRAY,
  beginString,
  BOOLEAN,
  close,
  DOCUMENT,
  DOUBLE,
  endString,
  INT,
  NULL,
  open,
  STRING,
} from './bson.ts';
import { bsonOfJson } from './json.ts';

/** As `bsonOfJson`; below it lies what only that one reads. */
const MAX_DEPTH = 150;
const MAX_KEYS = 256;
/** So many digits make a whole number that an int surely holds. */
const SHORT_INT = 9;
/** So many digits survive the way through a double (IEEE 754), and so does their quotient by a power of ten up to 10^22. */
const EXACT_DIGITS = 15;
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Says that a text is for `bsonOfJson` to read: it has something unusual, or is no JSON. */
const UNUSUAL = new Error('unusual JSON');

function unusual(): never {
  throw UNUSUAL;
}

interface Reader {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
  /** Hashes of the keys of all objects that are open, one object's behind the other's. */
  readonly keys: number[];
}

/**
 * Appends what `bsonOfJson` makes of JSON text, without making it, and gives its type. 0, with anything appended, where the text has what is seldom:
 * an escape in a key, a key twice, hundreds of keys, or a mistake.
 */
export function appendJson(out: Bytes, text: Bytes): number {
  if (!isValidUtf8(text.buffer, 0, text.length)) return 0;
  const reader: Reader = { bytes: text.buffer, end: text.length, at: 0, keys: [] };
  try {
    const type = appendValue(reader, out, 0);
    skipSpace(reader);
    return reader.at === reader.end ? type : 0;
  } catch (error) {
    if (error === UNUSUAL) return 0;
    throw error;
  }
}

function peek({ bytes, at, end }: Reader): number {
  return at < end ? (bytes[at] ?? 0) : 0;
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const byte = peek(reader);
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return;
    reader.at += 1;
  }
}

/** Skips `byte` if it comes next. */
function skip(reader: Reader, byte: number): boolean {
  skipSpace(reader);
  if (peek(reader) !== byte) return false;
  reader.at += 1;
  return true;
}

function appendValue(reader: Reader, out: Bytes, depth: number): number {
  if (depth > MAX_DEPTH) unusual();
  skipSpace(reader);
  switch (peek(reader)) {
    case OPEN_OBJECT:
      return appendObject(reader, out, depth + 1);
    case OPEN_ARRAY:
      return appendArray(reader, out, depth + 1);
    case QUOTE:
      return appendString(reader, out);
    case 0x74:
      skipWord(reader, 'true');
      out.byte(1);
      return BOOLEAN;
    case 0x66:
      skipWord(reader, 'false');
      out.byte(0);
      return BOOLEAN;
    case 0x6e:
      skipWord(reader, 'null');
      return NULL;
    default:
      return appendNumber(reader, out);
  }
}

function skipWord(reader: Reader, word: string): void {
  const { bytes, at, end } = reader;
  if (at + word.length > end) unusual();
  for (let i = 0; i < word.length; i += 1) if (bytes[at + i] !== word.charCodeAt(i)) unusual();
  reader.at += word.length;
}

function appendObject(reader: Reader, out: Bytes, depth: number): number {
  const { keys } = reader;
  const first = keys.length;
  const from = open(out);
  reader.at += 1;
  if (!skip(reader, CLOSE_OBJECT)) {
    do {
      const at = out.length;
      out.byte(0);
      noteKey(keys, first, appendKey(reader, out));
      if (!skip(reader, COLON)) unusual();
      const type = appendValue(reader, out, depth);
      out.buffer[at] = type;
    } while (skip(reader, COMMA));
    if (!skip(reader, CLOSE_OBJECT)) unusual();
  }
  keys.length = first;
  close(out, from);
  return DOCUMENT;
}

/** MariaDB lets a key stand twice, and the last one counts. */
function noteKey(keys: number[], first: number, hash: number): void {
  if (keys.length - first >= MAX_KEYS) unusual();
  for (let i = first; i < keys.length; i += 1) if (keys[i] === hash) unusual();
  keys.push(hash);
}

/** Appends a key with the zero byte behind it; gives a hash of it. */
function appendKey(reader: Reader, out: Bytes): number {
  skipSpace(reader);
  if (peek(reader) !== QUOTE) unusual();
  const { bytes, end } = reader;
  const from = reader.at + 1;
  let at = from;
  let hash = 0;
  for (; ; at += 1) {
    const byte = bytes[at] ?? 0;
    if (at >= end || byte === 0 || byte === BACKSLASH) unusual();
    if (byte === QUOTE) break;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  out.copy(bytes, from, at);
  out.byte(0);
  reader.at = at + 1;
  return hash;
}

function appendArray(reader: Reader, out: Bytes, depth: number): number {
  const from = open(out);
  reader.at += 1;
  if (!skip(reader, CLOSE_ARRAY)) {
    let index = 0;
    do {
      const at = out.length;
      out.byte(0);
      out.integer(index);
      out.byte(0);
      const type = appendValue(reader, out, depth);
      out.buffer[at] = type;
      index += 1;
    } while (skip(reader, COMMA));
    if (!skip(reader, CLOSE_ARRAY)) unusual();
  }
  close(out, from);
  return ARRAY;
}

function appendString(reader: Reader, out: Bytes): number {
  const { bytes, end } = reader;
  const from = reader.at + 1;
  let escaped = false;
  let at = from;
  for (; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) break;
    if (byte !== BACKSLASH) continue;
    escaped = true;
    at += 1;
  }
  if (at >= end) unusual();
  const begun = beginString(out);
  if (escaped) out.text(unescaped(bytes.toString('utf8', from - 1, at + 1)));
  else out.copy(bytes, from, at);
  endString(out, begun);
  reader.at = at + 1;
  return STRING;
}

function unescaped(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return unusual();
  }
}

/** Short integers, and decimals that a double holds as they are written; of the others `bsonOfJson` knows what becomes. */
function appendNumber(reader: Reader, out: Bytes): number {
  const { bytes, at: from } = reader;
  const negative = peek(reader) === MINUS;
  if (negative) reader.at += 1;
  const first = reader.at;
  let value = skipDigits(reader, 0);
  const whole = reader.at - first;
  if (whole === 0) unusual();
  let places = 0;
  if (peek(reader) === POINT) {
    reader.at += 1;
    value = skipDigits(reader, value);
    places = reader.at - first - whole - 1;
    if (places === 0) unusual();
  }
  const isShort = whole + places <= (places === 0 ? SHORT_INT : EXACT_DIGITS);
  if (!isShort || (peek(reader) | 0x20) === 0x65 || (negative && value === 0)) {
    skipNumber(reader);
    return appendAny(out, bsonOfJson(bytes.toString('latin1', from, reader.at), unusual));
  }
  const signed = negative ? -value : value;
  if (places === 0) {
    out.int32le(signed);
    return INT;
  }
  out.float64le(signed / (POWERS[places] ?? 1));
  return DOUBLE;
}

/** Reads digits on to a number, which is exact as long as there are few. */
function skipDigits(reader: Reader, before: number): number {
  let value = before;
  for (let digit = peek(reader) - 0x30; digit >= 0 && digit <= 9; digit = peek(reader) - 0x30) {
    value = value * 10 + digit;
    reader.at += 1;
  }
  return value;
}

/** Skips what a number can go on with. */
function skipNumber(reader: Reader): void {
  for (;;) {
    const byte = peek(reader);
    const isPart = (byte >= 0x30 && byte <= 0x39) || byte === MINUS || byte === 0x2b || (byte | 0x20) === 0x65;
    if (!isPart) return;
    reader.at += 1;
  }
}
