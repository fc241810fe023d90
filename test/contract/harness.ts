import type { Values, Target } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';

/** What the suite needs to know about one target; all tests of a suite share one server. */
export interface TargetHarness {
  /** For the titles. */
  readonly name: string;
  /** Whether parts of a transaction stay invisible until the batch with the checkpoint (G3). */
  readonly hidesParts: boolean;
  /** Whether nothing of a batch is visible when its checkpoint is refused (G1, G8). */
  readonly atomic: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A target as one more process of this pipeline would open it; the suite closes it. */
  open(pipeline: string): Promise<Target>;
  /** What the target holds for the table in any order, each row in column order, in a form that `toEqual` can compare. */
  rows(table: TableSchema): Promise<readonly (readonly unknown[])[]>;
  /** What `rows` gives for a row that was applied rightly. Written for the test, not with the target's own encoder. */
  expected(table: TableSchema, row: Values): readonly unknown[];
}
