import { type ASTNode, type Environment, EvaluationError, ParseError, TypeError } from '@marcbachmann/cel-js';
import type { Values } from '../core/contracts.ts';
import type { TableSchema } from '../core/table.ts';
import { compareDecimals, parseDecimal, toDecimal } from './decimal.ts';
import { unguarded } from './guard.ts';
import { celType, conversions, environment, isIdentifier } from './variables.ts';

/** Why an expression cannot be used with a table: what is wrong, and what to write instead. */
export interface Refusal {
  readonly problem: string;
  readonly fix: string;
}
export interface Condition {
  /** Whether the row meets the condition. Throws an `EvaluationFailure` where the expression has no result for it. */
  test(row: Values): boolean;
}

/** An expression had no result for a row. Holds the reason's code only, for the library's text may quote values. */
export class EvaluationFailure extends Error {
  readonly reason: string;

  constructor(reason: string, cause: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

/**
 * Compiles a CEL expression over a table's columns into a condition. Columns are variables of their name. Integers of every width are
 * `int` and exact; DECIMAL is `decimal`, compared and calculated with exactly, a double beside it counting as the number it is written
 * as; FLOAT and DOUBLE are `double`; temporal values, JSON, ENUM and SET are `string` in their canonical text; NULL is `null`. The
 * types are checked here, and so is that no NULL can meet an operator that has no result for it.
 */
export function compileCondition(source: string, table: TableSchema): Condition | Refusal {
  const strict = environment(table, (column) => celType(column.type));
  const parsed = parse(strict, source);
  if ('problem' in parsed) return parsed;
  const checked = strict.check(source);
  if (!checked.valid) return typeRefusal(checked.error, table);
  if (checked.type !== 'bool') {
    return {
      problem: `the result is ${checked.type ?? 'unknown'}, not true or false`,
      fix: 'compare it with something',
    };
  }
  const refusal = inexactLiteral(parsed.ast) ?? unguardedRefusal(parsed.ast, table);
  if (refusal !== null) return refusal;
  const names = new Set(namesIn(parsed.ast));
  const lenient = environment(table, (column) =>
    column.nullable ? `dyn<${celType(column.type)}>` : celType(column.type),
  );
  return condition(lenient, source, table, names);
}

function condition(lenient: Environment, source: string, table: TableSchema, names: ReadonlySet<string>): Condition {
  const used = table.columns.flatMap((column, i) =>
    names.has(column.name) ? [{ i, name: column.name, convert: conversions[celType(column.type)] }] : [],
  );
  const evaluate = lenient.parse(source);
  const context: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  return {
    test(row) {
      for (const { i, name, convert } of used) {
        const value = row[i] ?? null;
        context[name] = value === null ? null : convert(value);
      }
      const result = run(evaluate, context);
      if (typeof result !== 'boolean') throw new EvaluationFailure('not_a_bool', null);
      return result;
    },
  };
}

function run(evaluate: (context: Record<string, unknown>) => unknown, context: Record<string, unknown>): unknown {
  try {
    return evaluate(context);
  } catch (error) {
    throw new EvaluationFailure(error instanceof EvaluationError ? error.code : 'failed', error);
  }
}

function parse(environment: Environment, source: string): { ast: ASTNode } | Refusal {
  try {
    return environment.parse(source);
  } catch (error) {
    const summary = error instanceof ParseError ? error.summary : 'it cannot be read';
    return {
      problem: `${source} is no CEL expression: ${summary}`,
      fix: 'see github.com/google/cel-spec for the language',
    };
  }
}

function typeRefusal(error: unknown, table: TableSchema): Refusal {
  const summary = error instanceof TypeError || error instanceof ParseError ? error.summary : 'its types do not fit';
  const columns = table.columns
    .filter((column) => isIdentifier(column.name))
    .map((column) => `${column.name} ${celType(column.type)}`);
  return { problem: summary, fix: `the columns here are: ${columns.join(', ')}` };
}

function unguardedRefusal(ast: ASTNode, table: TableSchema): Refusal | null {
  const nullable = new Set(table.columns.filter((column) => column.nullable).map((column) => column.name));
  const [name] = unguarded(ast, nullable);
  if (name === undefined) return null;
  return {
    problem: `${name} can be NULL, and the expression has no result then`,
    fix: `say what becomes of such rows: "${name} != null && …" filters them, "${name} == null || …" keeps them`,
  };
}

/** A literal that a double cannot hold would compare as another number than the one written. */
function inexactLiteral(ast: ASTNode): Refusal | null {
  for (const node of nodesIn(ast)) {
    if (node.op !== 'value' || typeof node.args !== 'number') continue;
    const written = parseDecimal(node.input.slice(node.start, node.end));
    const read = toDecimal(node.args);
    if (written !== null && read !== null && compareDecimals(written, read) === 0) continue;
    const text = node.input.slice(node.start, node.end);
    return { problem: `${text} has more digits than a double holds`, fix: `write decimal('${text}')` };
  }
  return null;
}

function namesIn(ast: ASTNode): string[] {
  return nodesIn(ast).flatMap((node) => (node.op === 'id' ? [node.args] : []));
}

/** Every node, found by shape alone: a macro keeps its arguments as written. */
function nodesIn(node: ASTNode): ASTNode[] {
  return [node, ...nested(node.args)];
}

function nested(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nested);
  return isNode(args) ? nodesIn(args) : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
