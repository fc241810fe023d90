import { Environment, EvaluationError } from '@marcbachmann/cel-js';
import type { Value } from '../core/contracts.ts';
import { unreachable } from '../core/errors.ts';
import type { Column, ColumnType, TableSchema } from '../core/table.ts';
import {
  addDecimals,
  compareDecimals,
  Decimal,
  decimalText,
  multiplyDecimals,
  negateDecimal,
  parseDecimal,
  toDecimal,
} from './decimal.ts';

/** The CEL types that columns have; `decimal` is ours. */
export type CelType = 'int' | 'double' | 'decimal' | 'string' | 'bytes' | 'bool';
type Numeric = Decimal | number | bigint;

/** From canonical values (never null) to CEL's. */
export const conversions: Record<CelType, (value: NonNullable<Value>) => unknown> = {
  int: (value) => (typeof value === 'number' ? BigInt(value) : value),
  double: (value) => value,
  decimal: (value) => parseDecimal(String(value)),
  string: (value) => value,
  bytes: (value) =>
    value instanceof Uint8Array ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : value,
  bool: (value) => value,
};

/** Integers of every width are `int`, temporal values, JSON, ENUM and SET `string`. */
export function celType(type: ColumnType): CelType {
  switch (type.kind) {
    case 'int':
    case 'bigint':
    case 'year':
      return 'int';
    case 'bit':
      return type.length === 1 ? 'bool' : 'int';
    case 'boolean':
      return 'bool';
    case 'decimal':
      return 'decimal';
    case 'float':
    case 'double':
      return 'double';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return 'bytes';
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
      return 'string';
    default:
      return unreachable(type);
  }
}

/** An environment with a table's columns as variables, and with decimals. Columns whose name is no CEL identifier stay out. */
export function environment(table: TableSchema, typeOf: (column: Column) => string): Environment {
  const result = base.clone();
  for (const column of table.columns) {
    if (isIdentifier(column.name)) result.registerVariable(column.name, typeOf(column));
  }
  return result;
}

const reserved = new Set(
  'as break const continue else for function if import let loop package namespace return var void while in true false null cel'.split(
    ' ',
  ),
);

/** Whether a column of this name can be a variable. */
export function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !reserved.has(name) && name !== '__proto__' && name !== 'prototype';
}

const base = baseEnvironment();

function baseEnvironment(): Environment {
  const result = new Environment().registerType('decimal', { ctor: Decimal, fields: {} });
  for (const type of ['int', 'double', 'string', 'bytes', 'bool', 'decimal']) {
    result.registerOperator(`${type} == null`, (value: unknown) => value === null);
  }
  for (const [left, right] of [
    ['decimal', 'decimal'],
    ['decimal', 'int'],
    ['decimal', 'double'],
  ] as const) {
    result.registerOperator(`${left} == ${right}`, (a: Numeric, b: Numeric) => order(a, b) === 0);
    registerOrder(result, left, right);
    if (right !== 'decimal') registerOrder(result, right, left);
    registerArithmetic(result, left, right);
    if (right !== 'decimal') registerArithmetic(result, right, left);
  }
  for (const left of ['decimal', 'dyn<decimal>']) {
    for (const right of ['decimal', 'int', 'double']) {
      result.registerOperator(`${left} in list<${right}>`, (a: Numeric, list: readonly Numeric[]) =>
        list.some((b) => order(a, b) === 0),
      );
    }
  }
  return result
    .registerOperator('-decimal', (a: Decimal) => negateDecimal(a))
    .registerFunction('decimal(string): decimal', (text: string) => exact(parseDecimal(text)))
    .registerFunction('decimal(int): decimal', (value: bigint) => toDecimal(value))
    .registerFunction('decimal(double): decimal', (value: number) => exact(toDecimal(value)))
    .registerFunction('double(decimal): double', (a: Decimal) => Number(decimalText(a)))
    .registerFunction('string(decimal): string', (a: Decimal) => decimalText(a));
}

function registerOrder(to: Environment, left: string, right: string): void {
  to.registerOperator(`${left} < ${right}`, (a: Numeric, b: Numeric) => order(a, b) < 0);
  to.registerOperator(`${left} <= ${right}`, (a: Numeric, b: Numeric) => order(a, b) <= 0);
  to.registerOperator(`${left} > ${right}`, (a: Numeric, b: Numeric) => order(a, b) > 0);
  to.registerOperator(`${left} >= ${right}`, (a: Numeric, b: Numeric) => order(a, b) >= 0);
}

function registerArithmetic(to: Environment, left: string, right: string): void {
  to.registerOperator(`${left} + ${right}: decimal`, (a: Numeric, b: Numeric) => addDecimals(number(a), number(b)));
  to.registerOperator(`${left} - ${right}: decimal`, (a: Numeric, b: Numeric) =>
    addDecimals(number(a), negateDecimal(number(b))),
  );
  to.registerOperator(`${left} * ${right}: decimal`, (a: Numeric, b: Numeric) =>
    multiplyDecimals(number(a), number(b)),
  );
}

function order(a: Numeric, b: Numeric): number {
  return compareDecimals(number(a), number(b));
}

function number(value: Numeric): Decimal {
  return value instanceof Decimal ? value : exact(toDecimal(value));
}

function exact(value: Decimal | null): Decimal {
  if (value === null) throw new EvaluationError({ code: 'not_a_number' });
  return value;
}
