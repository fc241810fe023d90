import { throttleReasons, type Progress, type TableProgress } from '../../core/progress.ts';
import { healthOf } from '../health.ts';

/** One run as the metrics show it. */
export interface Measured {
  readonly name: string;
  readonly progress: Progress;
}

interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** The value for one run; null where there is none to show. */
  readonly value: (progress: Progress, nowMs: number) => number | null;
}

interface TableFamily {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly value: (table: TableProgress) => number | null;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'lockstep_healthy',
    type: 'gauge',
    help: '1 while there is evidence that changes flow, else 0.',
    value: (progress, nowMs) => (healthOf(progress, nowMs).healthy ? 1 : 0),
  },
  {
    name: 'lockstep_lag_seconds',
    type: 'gauge',
    help: 'From commit at the source to durability in the target, of the last batch.',
    value: ({ lagMs }) => seconds(lagMs),
  },
  {
    name: 'lockstep_last_applied_timestamp_seconds',
    type: 'gauge',
    help: 'When a batch was last applied.',
    value: ({ lastAppliedAtMs }) => seconds(lastAppliedAtMs),
  },
  {
    name: 'lockstep_last_heard_timestamp_seconds',
    type: 'gauge',
    help: 'When bytes or a heartbeat last came from the source.',
    value: ({ lastHeardAtMs }) => seconds(lastHeardAtMs),
  },
  {
    name: 'lockstep_retries_total',
    type: 'counter',
    help: 'How often the run was started again after an error.',
    value: ({ retries }) => retries,
  },
  {
    name: 'lockstep_copy_throttled',
    type: 'gauge',
    help: '1 while the copy of tables is held back, by a limit or because the source is busy, else 0.',
    value: ({ throttle }) => (throttle === null ? 0 : 1),
  },
];

const TABLE_FAMILIES: readonly TableFamily[] = [
  {
    name: 'lockstep_rows_read_total',
    type: 'counter',
    help: 'Rows read, by copy and stream; read = applied + filtered + dead letters.',
    value: ({ read }) => read,
  },
  {
    name: 'lockstep_rows_applied_total',
    type: 'counter',
    help: 'Rows applied to the target.',
    value: ({ applied }) => applied,
  },
  {
    name: 'lockstep_rows_filtered_total',
    type: 'counter',
    help: 'Rows that a transform left out.',
    value: ({ filtered }) => filtered,
  },
  {
    name: 'lockstep_dead_letters_total',
    type: 'counter',
    help: 'Changes that were set aside because the target refused them or an earlier one of their key; alert when it grows.',
    value: ({ deadLetters }) => deadLetters,
  },
  {
    name: 'lockstep_values_changed_total',
    type: 'counter',
    help: 'Values that a policy changed because the target cannot hold them.',
    value: ({ changed }) => Object.values(changed).reduce((sum, count) => sum + count, 0),
  },
  {
    name: 'lockstep_rows_copied_total',
    type: 'counter',
    help: 'Those of the rows read that the copy brought.',
    value: ({ copied }) => copied,
  },
  {
    name: 'lockstep_rows_estimated',
    type: 'gauge',
    help: "The source's estimate of a table's rows.",
    value: ({ estimatedRows }) => estimatedRows,
  },
  {
    name: 'lockstep_indexes_waiting',
    type: 'gauge',
    help: 'Secondary indexes that are still to be made.',
    value: ({ indexes }) => indexes && indexes.wanted - indexes.made,
  },
  {
    name: 'lockstep_indexes_lost',
    type: 'gauge',
    help: 'Secondary indexes that the target cannot have, or not as the source has them.',
    value: ({ indexes }) => indexes && indexes.lost.length,
  },
];

/** Everything in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Counters are of this process. */
export function metricsText(pipeline: string, runs: readonly Measured[], nowMs: number): string {
  const lines: string[] = [];
  const sample = (name: string, labels: Readonly<Record<string, string>>, value: number | null): void => {
    if (value === null) return;
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    lines.push(`${name}{${pairs.join(',')}} ${value}`);
  };
  const head = (family: { name: string; type: string; help: string }): void => {
    lines.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`);
  };
  for (const family of FAMILIES) {
    head(family);
    for (const { name, progress } of runs)
      sample(family.name, { pipeline, target: name }, family.value(progress, nowMs));
  }
  for (const family of TABLE_FAMILIES) {
    head(family);
    for (const { name, progress } of runs) {
      for (const [table, counts] of progress.tables)
        sample(family.name, { pipeline, target: name, table }, family.value(counts));
    }
  }
  const waited = { name: 'lockstep_copy_throttled_seconds_total', type: 'counter' };
  head({ ...waited, help: 'How long the readers of the copy have waited, by reason.' });
  for (const { name, progress } of runs) {
    for (const reason of throttleReasons)
      sample(waited.name, { pipeline, target: name, reason }, progress.throttledMs[reason] / 1000);
  }
  return `${[...lines, ...processLines()].join('\n')}\n`;
}

function processLines(): string[] {
  const { user, system } = process.cpuUsage();
  return [
    '# HELP process_resident_memory_bytes Memory of this process.',
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    '# HELP process_cpu_seconds_total CPU time of this process.',
    '# TYPE process_cpu_seconds_total counter',
    `process_cpu_seconds_total ${(user + system) / 1e6}`,
  ];
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
