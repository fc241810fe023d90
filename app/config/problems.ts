import type { z } from 'zod';
import { unreachable } from '../../core/errors.ts';
import { nearest } from './nearest.ts';

/** A mistake in the file: the path of the value it is about, and a sentence that follows the path. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** True where the key itself is wrong or lacks a value, false where its value is. */
  readonly atKey: boolean;
}

type Issue = z.core.$ZodIssue;

/** The part of a JSON Schema that says which keys are allowed where. */
export interface KeySchema {
  readonly properties?: Readonly<Record<string, KeySchema>>;
  readonly additionalProperties?: boolean | KeySchema;
  readonly items?: KeySchema;
  readonly anyOf?: readonly KeySchema[];
  readonly oneOf?: readonly KeySchema[];
}

/** Every mistake that the schema found, in words of ours; values are never repeated, for they may be secret (G12). */
export function problemsOf(issues: readonly Issue[], schema: () => KeySchema): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, schema));
}

function problemsOfIssue(issue: Issue, schema: () => KeySchema): Problem[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(issue.path, key, schema()));
    case 'invalid_union':
      return unionProblems(issue, schema);
    case 'invalid_key':
      return [{ path: issue.path, message: issue.issues[0]?.message ?? 'is no valid name', atKey: true }];
    case 'invalid_type':
      return [wrongType(issue)];
    case 'too_small':
      return [valueProblem(issue, sizeMessage(issue, 'at least', issue.minimum))];
    case 'too_big':
      return [valueProblem(issue, sizeMessage(issue, 'at most', issue.maximum))];
    case 'invalid_value':
      return [valueProblem(issue, `must be ${issue.values.map((value) => `\`${String(value)}\``).join(' or ')}`)];
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom':
      return [valueProblem(issue, issue.message)];
    default:
      return unreachable(issue);
  }
}

function valueProblem(issue: Issue, message: string): Problem {
  return { path: issue.path, message, atKey: false };
}

function sizeMessage(issue: Issue & { origin: string }, bound: string, limit: number | bigint): string {
  if (issue.origin === 'number' || issue.origin === 'int') return `must be ${bound} ${limit}`;
  return issue.message.startsWith('Too ') ? `must have ${bound} ${limit}` : issue.message;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of settings',
  record: 'a group of settings',
};

function wrongType(issue: Issue & { expected: string; input?: unknown }): Problem {
  const missing = issue.message.endsWith('received undefined');
  const expected = WORDS[issue.expected] ?? issue.expected;
  return { path: issue.path, message: missing ? 'is missing' : `must be ${expected}`, atKey: missing };
}

/** Of several shapes the one that is meant is the one whose keys are known; where none is, the key is a typing mistake. */
function unionProblems(issue: Issue & { errors: Issue[][] }, schema: () => KeySchema): Problem[] {
  const meant = issue.errors.filter((branch) => !branch.some((error) => error.path.length === 0));
  const closest = meant.toSorted((a, b) => a.length - b.length)[0];
  if (closest !== undefined) {
    return closest.flatMap((error) => problemsOfIssue({ ...error, path: [...issue.path, ...error.path] }, schema));
  }
  const foreign = new Set(issue.errors.flat().flatMap((e) => (e.code === 'unrecognized_keys' ? e.keys : [])));
  if (foreign.size === 0) return [valueProblem(issue, 'has none of the shapes that are allowed here')];
  return [...foreign].map((key) => unknownKey(issue.path, key, schema()));
}

function unknownKey(path: readonly PropertyKey[], key: string, schema: KeySchema): Problem {
  const allowed = keysAt([schema], path);
  if (allowed.includes(key)) {
    return { path: [...path, key], message: 'cannot stand beside the other keys here', atKey: true };
  }
  const near = nearest(key, allowed);
  const remedy = near === null ? `allowed here: ${allowed.join(', ')}` : `did you mean \`${near}\`?`;
  return { path: [...path, key], message: `is not a setting; ${remedy}`, atKey: true };
}

/** The keys that the JSON Schema allows at a path. */
function keysAt(schemas: readonly KeySchema[], path: readonly PropertyKey[]): string[] {
  const shapes = schemas.flatMap((schema) => [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]);
  const [step, ...rest] = path;
  if (step === undefined) return [...new Set(shapes.flatMap((shape) => Object.keys(shape.properties ?? {})))];
  const next = shapes.flatMap((shape) => [
    shape.properties?.[String(step)],
    typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined,
    shape.items,
  ]);
  return keysAt(
    next.filter((schema) => schema !== undefined),
    rest,
  );
}
