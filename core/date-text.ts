import type { Bytes } from './bytes.ts';
import { civilDays } from './civil-date.ts';

/**
 * Canonical dates and times, as printed, read as numbers of the proleptic Gregorian calendar and UTC: `YYYY-MM-DD`,
 * `YYYY-MM-DD hh:mm:ss[.fff]`, `[-]hh:mm:ss[.fff]`. They are read by position; nothing is allocated.
 */

const MINUS = 0x2d;
const COLON = 0x3a;

function digits({ buffer, length }: Bytes, from: number, to: number): number {
  if (to > length) return Number.NaN;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = (buffer[i] ?? 0) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** The days from 1970-01-01 to the date that a text begins with; NaN for zero and partial dates and for days that no month has. */
export function daysOf(text: Bytes): number {
  return civilDays(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10));
}

/** The whole seconds from 1970 to a datetime; NaN where its date is none. */
export function secondsOf(text: Bytes): number {
  return daysOf(text) * 86_400 + digits(text, 11, 13) * 3600 + digits(text, 14, 16) * 60 + digits(text, 17, 19);
}

/** The fraction that begins behind the point at `point`, in units of which `10 ** places` make a second; 0 where there is none. */
export function fractionOf({ buffer, length }: Bytes, point: number, places: number): number {
  let value = 0;
  for (let i = 0; i < places; i++) {
    const at = point + 1 + i;
    const digit = at < length ? (buffer[at] ?? 0) - 48 : 0;
    value = value * 10 + (digit >= 0 && digit <= 9 ? digit : 0);
  }
  return value;
}

/** A time in microseconds, negative for one before zero; NaN for what is no time. */
export function microsOfTime(text: Bytes): number {
  const negative = text.length > 0 && text.buffer[0] === MINUS;
  const from = negative ? 1 : 0;
  const colon = text.buffer.indexOf(COLON, from);
  const seconds =
    digits(text, from, colon) * 3600 + digits(text, colon + 1, colon + 3) * 60 + digits(text, colon + 4, colon + 6);
  const micros = seconds * 1_000_000 + fractionOf(text, colon + 6, 6);
  return negative ? -micros : micros;
}
