import { exactNumber } from './number.ts';

/**
 * The text that all JSON documents of one content share: keys sorted, the last of equal keys, numbers exact at every length, no
 * spaces. What is no JSON comes back with a `?` before it, so that it equals nothing but itself.
 */
export function canonicalJson(text: string): string {
  const reader = { text, at: 0 };
  try {
    const value = readValue(reader);
    skipSpace(reader);
    return reader.at === text.length ? value : `?${text}`;
  } catch (failure) {
    if (failure instanceof SyntaxError) return `?${text}`;
    throw failure;
  }
}

/** The members of an object whose values are canonical already, as canonical text. */
export function canonicalObject(members: Iterable<readonly [string, string]>): string {
  const sorted = [...new Map(members)].sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`;
}

interface Reader {
  readonly text: string;
  at: number;
}

function readValue(reader: Reader): string {
  skipSpace(reader);
  const char = reader.text[reader.at];
  if (char === '{') return readObject(reader);
  if (char === '[') return readArray(reader);
  if (char === '"') return JSON.stringify(readString(reader));
  const word = take(reader, /[-+.\w]+/y);
  return word === 'true' || word === 'false' || word === 'null' ? word : exactNumber(word);
}

function readObject(reader: Reader): string {
  const members: [string, string][] = [];
  const open = reader.at;
  while (skipTo(reader, open, '}')) {
    const key = readString(reader);
    skipSpace(reader);
    take(reader, /:/y);
    members.push([key, readValue(reader)]);
  }
  return canonicalObject(members);
}

function readArray(reader: Reader): string {
  const items: string[] = [];
  const open = reader.at;
  while (skipTo(reader, open, ']')) items.push(readValue(reader));
  return `[${items.join()}]`;
}

/** Moves to the next member of what begins at `open`; false, and behind it, where there is none. */
function skipTo(reader: Reader, open: number, close: string): boolean {
  const first = reader.at === open;
  if (first) reader.at += 1;
  skipSpace(reader);
  if (reader.text[reader.at] === close) {
    reader.at += 1;
    return false;
  }
  if (!first) take(reader, /,/y);
  skipSpace(reader);
  return true;
}

function readString(reader: Reader): string {
  const value: unknown = JSON.parse(take(reader, /"(?:[^"\\]|\\.)*"/sy));
  return String(value);
}

function skipSpace(reader: Reader): void {
  take(reader, /\s*/y);
}

function take(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  if (found === undefined) throw new SyntaxError(`no JSON at character ${reader.at}`);
  reader.at += found.length;
  return found;
}
