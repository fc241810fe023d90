import { civilDate } from '../../core/civil-date.ts';

/** `00` … `99`. */
export const twoDigits: readonly string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));

const two = (n: number): string => twoDigits[n] ?? String(n);

export function formatDate(year: number, month: number, day: number): string {
  return `${two(Math.trunc(year / 100))}${two(year % 100)}-${two(month)}-${two(day)}`;
}

export function formatClock(hour: number, minute: number, second: number): string {
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

/** `.123` for 123000 µs and 3 digits; empty for none. */
export function formatFraction(micros: number, digits: number): string {
  return digits === 0 ? '' : `.${String(micros).padStart(6, '0').slice(0, digits)}`;
}

let lastDay = -1;
let lastDate = '';

/** Seconds since 1970 (UTC) as `YYYY-MM-DD hh:mm:ss`. */
export function formatEpochSeconds(seconds: number): string {
  const day = Math.floor(seconds / 86_400);
  const rest = seconds - day * 86_400;
  if (day !== lastDay) {
    lastDay = day;
    lastDate = formatDate(...civilDate(day));
  }
  const minutes = Math.floor(rest / 60);
  return `${lastDate} ${formatClock(Math.floor(minutes / 60), minutes % 60, rest % 60)}`;
}
