import type { Failure } from '../../core/progress.ts';
import type { PipelineRun } from '../pipeline.ts';
import { failureLines } from './format.ts';
import { frame, titleOf } from './frame.ts';
import { newsOf } from './news.ts';
import type { Output } from './output.ts';
import { Rates } from './rates.ts';
import { isLive, openScreen } from './screen.ts';

const LOOK_EVERY_MS = 200;
/** The same error is said again after this long, so that a log that is read later shows that it lasted. */
const REPEAT_AFTER_MS = 300_000;

/** What people see of runs while they work. */
export interface View {
  print(lines: readonly string[]): void;
  retry(run: PipelineRun, failure: Failure): void;
  warn(run: PipelineRun, lines: readonly string[]): void;
  close(): void;
}

/** A live picture where there is a terminal, else one line for each change of state. */
export function showRuns(pipeline: string, runs: readonly PipelineRun[], output: Output): View {
  const said = new Map<string, { text: string; atMs: number }>();
  const view = isLive(output) ? liveView(pipeline, runs, output) : lineView(pipeline, runs, output);
  return {
    ...view,
    retry(run, failure) {
      const text = `${failure.code} ${failure.message}`;
      const last = said.get(run.name);
      if (last?.text === text && Date.now() - last.atMs < REPEAT_AFTER_MS) return;
      said.set(run.name, { text, atMs: Date.now() });
      view.retry(run, failure);
    },
    warn(run, lines) {
      const name = `warnings of ${run.name}`;
      if (said.has(name)) return;
      said.set(name, { text: '', atMs: Date.now() });
      view.warn(run, lines);
    },
  };
}

function liveView(pipeline: string, runs: readonly PipelineRun[], output: Output): View {
  const rates = new Rates();
  const title = titleOf(pipeline, runs);
  const screen = openScreen(output.people, (columns, rows) =>
    frame({ title, runs, rates, columns, rows, nowMs: Date.now() }),
  );
  return {
    print: (lines) => screen.print(lines),
    retry: (_, failure) => screen.print(failureLines({ ...failure, nextTryAtMs: null }, Date.now())),
    warn: (run, lines) => screen.print(lines.map((line) => `warn  ${run.name}: ${line}`)),
    close: () => screen.close(),
  };
}

function lineView(pipeline: string, runs: readonly PipelineRun[], output: Output): View {
  const say = (who: string, lines: readonly string[]): void => {
    const at = new Date().toISOString();
    for (const line of lines) output.line(`${at}  ${who}  ${line}`);
  };
  const news = runs.map((run) => ({ run, next: newsOf(run) }));
  const look = (): void => {
    for (const { run, next } of news) say(`${pipeline}/${run.name}`, next());
  };
  say(pipeline, [titleOf(pipeline, runs).slice(pipeline.length + 3)]);
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    print: (lines) => say(pipeline, lines),
    retry(run, failure) {
      look();
      say(`${pipeline}/${run.name}`, failureLines(failure, Date.now()));
    },
    warn: (run, lines) =>
      say(
        `${pipeline}/${run.name}`,
        lines.map((line) => `warn  ${line}`),
      ),
    close() {
      clearInterval(timer);
      look();
    },
  };
}
