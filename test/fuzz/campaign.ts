import { Worker } from 'node:worker_threads';

/** Mutated logs with the seeds from `seed` on, until there were so many or so much time is over. */
export interface Job {
  readonly seed: number;
  readonly cases: number;
  readonly seconds: number;
}

export interface Found {
  readonly seed: number;
  readonly what: string;
}

export interface Report {
  readonly done: number;
  readonly rows: number;
  /** How often each outcome came: a code, or `read`. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly failure: Found | null;
}

export type Progress = { readonly seed: number } | Report;

const hangMs = 10_000;

/** Runs in a thread of its own, with a heap of its own, so that what never ends or takes all memory is found and named. */
export async function runCampaign(job: Job): Promise<Report> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  });
  const report = Promise.withResolvers<Report>();
  let { seed } = job;
  const fail = (what: string): void =>
    report.resolve({ done: seed - job.seed, rows: 0, outcomes: new Map(), failure: { seed, what } });
  const watch = setTimeout(() => fail('it does not end'), hangMs);
  worker.on('message', (progress: Progress) => {
    watch.refresh();
    if ('seed' in progress) ({ seed } = progress);
    else report.resolve(progress);
  });
  worker.on('error', (error) => fail(String(error)));
  worker.on('exit', () => fail('the thread ended'));
  try {
    return await report.promise;
  } finally {
    clearTimeout(watch);
    await worker.terminate();
  }
}
