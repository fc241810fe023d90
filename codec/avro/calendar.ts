import { civilDate } from '../../core/civil-date.ts';

/** Numbers as the canonical text of dates and times, in the proleptic Gregorian calendar and UTC, without a Date object. */

const pairs: readonly string[] = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));
const pair = (n: number): string => pairs[n] ?? String(n);

let lastDays = Number.NaN;
let lastDate = '';

/** Days since 1970-01-01 as `YYYY-MM-DD`. */
export function dateText(days: number): string {
  if (days === lastDays) return lastDate;
  const [year, month, day] = civilDate(days);
  lastDays = days;
  lastDate = `${yearText(year)}-${pair(month)}-${pair(day)}`;
  return lastDate;
}

function yearText(year: number): string {
  return year >= 0 && year <= 9999 ? pair(Math.floor(year / 100)) + pair(year % 100) : String(year);
}

/** Seconds since 1970 as `YYYY-MM-DD hh:mm:ss`. */
export function datetimeText(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  return `${dateText(days)} ${clockText(seconds - days * 86_400)}`;
}

/** Seconds as `hh:mm:ss`; the hours may have three digits. */
export function clockText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${pair(Math.floor(minutes / 60))}:${pair(minutes % 60)}:${pair(seconds % 60)}`;
}

/** `.123` for a fraction of `places` places written with `wanted` ones; empty for none. More places than there are become zeros. */
export function fractionText(fraction: number, places: number, wanted: number): string {
  if (wanted === 0) return '';
  return `.${String(fraction).padStart(places, '0').slice(0, wanted).padEnd(wanted, '0')}`;
}
