import type { TargetPlugin } from '../../core/plugin.ts';
import { checkTarget } from './check.ts';
import { openDeadLetters } from './dead-letters.ts';
import { foreseeUpdates } from './foresee.ts';
import { planTables } from './plan.ts';
import { openTarget } from './target.ts';

/** MongoDB 5.0 and newer as a target: one document per row, one collection per table. */
export const mongodb: TargetPlugin = {
  open: openTarget,
  check: checkTarget,
  plan: planTables,
  deadLetters: openDeadLetters,
  foresee: foreseeUpdates,
};
