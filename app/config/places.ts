import { isMap, isNode, isPair, isScalar, isSeq, visit, type Document, type LineCounter, type Node } from 'yaml';
import type { Problem } from './problems.ts';

/** A mistake in the file with its place; lines and columns count from 1. */
export interface Mistake {
  readonly line: number;
  readonly col: number;
  readonly message: string;
  /** True where a secret is missing rather than something being wrong. */
  readonly missing: boolean;
}

/** What the YAML reader found, in words that repeat nothing of the file, for any line may hold a password. */
export function syntaxMistakes(document: Document.Parsed, lines: LineCounter, text: string): Mistake[] {
  const found = [...document.errors, ...document.warnings].map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { line, col, message: syntaxMessage(error.code, text.split('\n')[line - 1] ?? ''), missing: false };
  });
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      found.push({ ...lines.linePos(start(alias)), message: syntaxMessage('BAD_ALIAS', ''), missing: false });
    },
  });
  if (found.length === 0 && document.contents === null) {
    return [{ line: 1, col: 1, message: 'the file is empty', missing: false }];
  }
  // What follows the first mistake of a line is nearly always its echo.
  return found.filter((mistake, i) => found.findIndex((other) => other.line === mistake.line) === i);
}

function syntaxMessage(code: string, line: string): string {
  if (/[{[].*\$\{/.test(line)) return 'inside { } and [ ] a value with ${…} must be in quotes';
  switch (code) {
    case 'TAG_RESOLVE_FAILED':
      return 'a value that begins with ! must be in quotes';
    case 'BAD_ALIAS':
      return 'a value that begins with * must be in quotes';
    case 'DUPLICATE_KEY':
      return 'this key is here twice';
    case 'TAB_AS_INDENT':
      return 'a tab stands where YAML allows only spaces';
    case 'BAD_INDENT':
      return 'this line is indented differently from its neighbours';
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'this is no `key: value`; a `:` or a space after it may be missing';
    case 'MISSING_CHAR':
      return 'a quote, bracket or `:` is missing';
    default:
      return `this is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
  }
}

/** Finds the place of a mistake: the key where that is wrong, the value where that is, and the group around what is missing. */
export function placeOf(problem: Problem, document: Document, lines: LineCounter): Mistake {
  let node: unknown = document.contents;
  let offset = isNode(node) ? start(node) : 0;
  for (const [i, step] of problem.path.entries()) {
    const last = i === problem.path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = start(pair.key);
      if (last && !problem.atKey && isScalar(pair.value)) offset = start(pair.value);
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = start(node);
    }
  }
  return { ...lines.linePos(offset), message: `${said(problem.path)} ${problem.message}`, missing: false };
}

function start(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** A path as people write it: `targets.warehouse.transforms[0].rename`. */
function said(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file';
  return `\`${path.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step)}`)).join('')}\``;
}
