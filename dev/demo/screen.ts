import { setTimeout as sleep } from 'node:timers/promises';
import { copiedShare } from './consistent.ts';
import { frame, type Scene } from './frame.ts';
import { duration, grouped } from './words.ts';

/** Shows the run while it goes on. */
export interface Show {
  /** A line that stays: a step has been taken. */
  say(line: string): void;
  draw(scene: Scene): void;
  /** Leaves the last picture where it is. */
  close(): void;
}

/** A live view on a terminal, else one line for each change of state; with `--json` those lines go to stderr. */
export function openShow(json: boolean): Show {
  const stream = json ? process.stderr : process.stdout;
  return stream.isTTY && process.env['TERM'] !== 'dumb' ? terminal(stream) : plain(stream);
}

const DRAW_EVERY_MS = 200;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

function terminal(stream: NodeJS.WriteStream): Show {
  let height = 0;
  let drawnAtMs = 0;
  const showCursor = (): void => void stream.write(SHOW_CURSOR);
  process.once('exit', showCursor);
  return {
    say(line) {
      stream.write(`${line}\n`);
      height = 0;
    },
    draw(scene) {
      if (performance.now() - drawnAtMs < DRAW_EVERY_MS) return;
      drawnAtMs = performance.now();
      const lines = frame(scene, Math.max(40, stream.columns)).slice(0, Math.max(4, stream.rows - 1));
      const up = height > 0 ? `\u001b[${String(height)}A` : HIDE_CURSOR;
      stream.write(`${up}\r${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
      height = lines.length;
    },
    close() {
      height = 0;
      showCursor();
      process.off('exit', showCursor);
    },
  };
}

const LINE_EVERY_MS = 5000;

function plain(stream: NodeJS.WriteStream): Show {
  const phases = new Map<string, string>();
  const full = new Set<string>();
  let saidAtMs = performance.now();
  const say = (line: string): void => void stream.write(`${line}\n`);
  return {
    say,
    draw(scene) {
      const runs = new Map(scene.runs.map(({ name, status }) => [name, status]));
      for (const { name, status } of scene.runs) {
        for (const [table, rows] of scene.rows) {
          if (full.has(`${name} ${table}`) || copiedShare(runs, name, table, rows) < 1) continue;
          full.add(`${name} ${table}`);
          say(`${name.padEnd(10)} ${table} copied`);
        }
        if (phases.get(name) !== status.phase) say(`${name.padEnd(10)} ${status.phase}`);
        phases.set(name, status.phase);
      }
      if (performance.now() - saidAtMs < LINE_EVERY_MS) return;
      saidAtMs = performance.now();
      say(summary(scene));
    },
    close() {},
  };
}

function summary(scene: Scene): string {
  const runs = scene.runs.map(({ name, status, perSecond }) => {
    const lag = status.lagMs === null ? '' : `, lag ${duration(status.lagMs)}`;
    return `${name} ${grouped(status.applied)} rows, ${grouped(perSecond)} rows/s${lag}`;
  });
  const writer = scene.writer === null ? [] : [`writer ${grouped(scene.writer.perSecond)} tx/s`];
  return [duration(scene.elapsedMs), ...writer, ...runs].join('; ');
}

/** Waits `ms`; comes back early when the signal aborts, which is told by `signal.throwIfAborted()`. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}
