import type { Output } from './output.ts';

const REDRAW_MS = 200;
const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_BELOW = '\u001B[J';

export interface Screen {
  /** Writes lines that stay, above the live view. */
  print(lines: readonly string[]): void;
  /** Leaves the last picture standing and gives the terminal back. */
  close(): void;
}

/** True where a picture can be redrawn in place. */
export function isLive(output: Output): boolean {
  return output.people.isTTY && process.env['TERM'] !== 'dumb';
}

/** A picture at the bottom of the terminal, redrawn five times a second. */
export function openScreen(
  out: NodeJS.WriteStream,
  draw: (columns: number, rows: number) => readonly string[],
): Screen {
  let height = 0;
  const erase = (): string => (height === 0 ? '' : `\u001B[${height}A\r`) + CLEAR_BELOW;
  const paint = (above: readonly string[]): void => {
    const lines = draw(out.columns, out.rows).slice(0, Math.max(1, out.rows - 1));
    out.write(erase() + [...above, ...lines].map((line) => `${line}\n`).join(''));
    height = lines.length;
  };
  const restore = (): void => void out.write(SHOW_CURSOR);
  process.once('exit', restore);
  out.write(HIDE_CURSOR);
  paint([]);
  const timer = setInterval(() => paint([]), REDRAW_MS);
  return {
    print: (lines) => paint([...lines, '']),
    close() {
      clearInterval(timer);
      paint([]);
      process.off('exit', restore);
      restore();
    },
  };
}
