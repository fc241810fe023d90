import { z } from 'zod';
import type { CompiledTransform, Transform } from '../core/contracts.ts';
import { LockstepError } from '../core/errors.ts';
import type { TableSchema } from '../core/table.ts';
import { type Pattern, tablePattern, tablePatternSchema } from './pattern.ts';
import { invalid, unchanged } from './shape.ts';

export const filterSchema = z.strictObject({
  table: tablePatternSchema,
  where: z
    .string()
    .min(1)
    .meta({ description: 'CEL expression over the columns; rows for which it is false are left out' }),
});
export type FilterOptions = z.infer<typeof filterSchema>;

/**
 * Keeps the rows for which the CEL expression is true. A row that comes to meet it is an insert for the target, one that ceases to a
 * delete. Errors: TRANSFORM_INVALID where the expression does not fit a table's columns; TRANSFORM_FAILED where it has no result for a
 * row (an integer overflow, a division by zero).
 */
export async function filter(options: FilterOptions, where: string): Promise<Transform> {
  const { compileCondition, EvaluationFailure } = await import('./expression.ts');
  const pattern = tablePattern(options.table);
  return {
    compile(table): CompiledTransform {
      if (!pattern.table(table)) return unchanged(table);
      const condition = compileCondition(options.where, table);
      if ('problem' in condition) throw invalid(where, `on ${table.origin}, ${condition.problem}`, condition.fix);
      return {
        table,
        filters: true,
        row(row) {
          try {
            return condition.test(row) ? row : null;
          } catch (error) {
            throw error instanceof EvaluationFailure ? failed(where, table, error.reason) : error;
          }
        },
      };
    },
  };
}

export function filterPatterns(options: FilterOptions): Pattern[] {
  return [tablePattern(options.table)];
}

function failed(where: string, table: TableSchema, reason: string): LockstepError {
  return new LockstepError('TRANSFORM_FAILED', `${where} has no result for a row of ${table.origin}: ${reason}`, {
    fix: 'change the expression so that it has a result for every row',
  });
}
