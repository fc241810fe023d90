import type { TableResult } from '../../verify/compare.ts';
import type { Usage } from '../usage.ts';
import { aligned, duration, grouped } from './words.ts';
import type { WriterReport } from './writer-report.ts';

/** What became of one target. */
export interface TargetOutcome {
  readonly name: string;
  readonly equal: boolean;
  /** From the writer's last commit until the target held it, ms. */
  readonly caughtUpMs: number | null;
  readonly compareMs: number;
  readonly tables: readonly TableResult[];
}

export interface DemoOutcome {
  readonly equal: boolean;
  readonly source: { readonly kind: string; readonly version: string };
  readonly via: 'kafka' | null;
  readonly rowsAtStart: number;
  /** From Lockstep's start until every copy was consistent, ms. */
  readonly copyMs: number;
  readonly writer: WriterReport & { readonly seconds: number };
  readonly lockstep: Usage | null;
  readonly targets: readonly TargetOutcome[];
}

/** The closing tables, one per target, and the verdict. */
export function closing(outcome: DemoOutcome): string[] {
  const { writer, lockstep } = outcome;
  const perSecond = grouped(writer.transactions / Math.max(1, writer.seconds));
  const lines = outcome.targets.flatMap((target) => ['', ...targetTable(target)]);
  lines.push(
    '',
    `writer     ${grouped(writer.transactions)} transactions, ${perSecond} a second; ${grouped(writer.retried)} deadlocks done again`,
  );
  const memory =
    lockstep === null
      ? ''
      : `; Lockstep: ${lockstep.cpuSeconds.toFixed(1)} CPU s, ${grouped(lockstep.peakBytes / 1e6)} MB at most`;
  lines.push(`copy       ${grouped(outcome.rowsAtStart)} rows consistent after ${duration(outcome.copyMs)}${memory}`);
  lines.push('', verdict(outcome));
  return lines;
}

function targetTable({ name, tables, caughtUpMs, compareMs }: TargetOutcome): string[] {
  const row = (label: string, counts: readonly number[]): string[] => [label, ...counts.map(grouped)];
  const counts = tables.map((table) => [table.rows, table.matched, table.mismatched, table.missing, table.extra]);
  const total = counts.reduce((sums, each) => sums.map((sum, i) => sum + (each[i] ?? 0)), [0, 0, 0, 0, 0]);
  const body = tables.map(({ table }, i) => row(table.split('.').at(-1) ?? table, counts[i] ?? []));
  const samples = tables.flatMap(({ table, samples }) =>
    samples.map(({ key, column }) => `  differs: ${table} key ${key} column ${column}`),
  );
  return [
    ...aligned([[name, 'rows', 'matched', 'mismatched', 'missing', 'extra'], ...body, row('all', total)]),
    ...samples,
    `${caughtUpMs === null ? 'never caught up' : `caught up ${duration(caughtUpMs)} after the last commit`}, compared in ${duration(compareMs)}`,
  ];
}

function verdict({ equal, targets }: DemoOutcome): string {
  if (equal) return `equal: ${targets.map(({ name }) => name).join(' and ')} hold exactly what the source holds`;
  const different = targets.filter((target) => !target.equal).map(({ name }) => name);
  return `DIFFERENT: ${different.join(' and ')}`;
}
