import { z } from 'zod';
import type { CompiledTransform, Transform } from '../core/contracts.ts';
import { type Pattern, tablePattern, tablePatternSchema } from './pattern.ts';
import { reshape, unchanged } from './shape.ts';

export const routeSchema = z.strictObject({
  tables: z
    .record(tablePatternSchema, z.string().regex(/^[^.*]+$/, 'expected the plain name of a schema or database'))
    .meta({
      description:
        'the schema (PostgreSQL) or database (MongoDB) that tables go to; the first pattern that matches counts',
    }),
});
export type RouteOptions = z.infer<typeof routeSchema>;

/** Sends tables to another schema or database; the first pattern that matches a table counts. */
export function route(options: RouteOptions): Transform {
  const routes = Object.entries(options.tables).map(([from, to]) => ({ from: tablePattern(from), to }));
  return {
    compile(table): CompiledTransform {
      const database = routes.find(({ from }) => from.table(table))?.to;
      if (database === undefined || database === table.database) return unchanged(table);
      return { table: reshape(table, { database }), row: (row) => row };
    },
  };
}

export function routePatterns(options: RouteOptions): Pattern[] {
  return Object.keys(options.tables).map(tablePattern);
}
