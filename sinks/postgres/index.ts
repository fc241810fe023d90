import type { TargetPlugin } from '../../core/plugin.ts';
import { checkTarget } from './check.ts';
import { openDeadLetters } from './dead-letters.ts';
import { foreseeStatements } from './foresee.ts';
import { planTables } from './plan.ts';
import { openTarget } from './target.ts';

/** Rows into tables of PostgreSQL 13 or later. The url is libpq's: `postgres://user:password@host:port/database?sslmode=…`. */
export const postgres: TargetPlugin = {
  open: openTarget,
  check: checkTarget,
  plan: planTables,
  foresee: foreseeStatements,
  deadLetters: openDeadLetters,
};
