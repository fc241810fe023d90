import { printedText } from '../values/printed.ts';
import { printJson } from './json.ts';
import type { Body } from './body.ts';
import { JsonDocument, type PathLeg } from './json-document.ts';
import { MalformedEvent } from './malformed.ts';

/** Source: sql-common/json_diff.h, enum_json_diff_operation */
const operation = { replace: 0, insert: 1, remove: 2 } as const;

/**
 * Applies the JSON diffs that fill `diffs` to a value's canonical text; the result is canonical too.
 * Source: sql-common/json_diff.cc, Json_diff::read_binary and apply_json_diffs. Errors: MalformedEvent.
 */
export function applyJsonDiffs(text: string, diffs: Body): string {
  if (diffs.left === 0) return text;
  const document = new JsonDocument(text);
  while (diffs.left > 0) {
    const kind = diffs.u8();
    const path = readPath(diffs.text(diffs.lenenc()));
    if (kind === operation.remove) document.remove(path);
    else if (kind === operation.replace) document.replace(path, readValue(diffs));
    else if (kind === operation.insert) document.insert(path, readValue(diffs));
    else throw new MalformedEvent(`a JSON diff of kind ${kind}`);
  }
  return document.toString();
}

function readValue(diffs: Body): string {
  const value = diffs.part(diffs.lenenc());
  return printedText(printJson, value.bytes, value.at, value.end, 'utf8');
}

/** A quoted name, one that needs no quotes, an index, an index from the end. */
const leg = /\.(?:("(?:[^"\\]|\\.)*")|([^."[\s]+))|\[(?:(\d+)|last(?:-(\d+))?)\]/uy;

/** Reads `$.name."a name"[3][last-1]`. Errors: MalformedEvent. */
function readPath(text: string): PathLeg[] {
  if (!text.startsWith('$')) throw new MalformedEvent('a JSON path that does not begin with $');
  const legs: PathLeg[] = [];
  leg.lastIndex = 1;
  while (leg.lastIndex < text.length) {
    const found = leg.exec(text);
    if (found === null) throw new MalformedEvent('a JSON path that is none');
    const [, quoted, plain, index, fromLast = '0'] = found;
    if (quoted !== undefined) legs.push(unquoted(quoted));
    else legs.push(plain ?? (index === undefined ? -1 - Number(fromLast) : Number(index)));
  }
  return legs;
}

function unquoted(name: string): string {
  try {
    return String(JSON.parse(name));
  } catch (error) {
    throw new MalformedEvent('a JSON path with a name that is none', { cause: error });
  }
}
