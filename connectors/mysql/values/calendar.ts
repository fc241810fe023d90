import type { Bytes } from '../../../core/bytes.ts';
import { civilDate } from '../../../core/civil-date.ts';

const dash = 0x2d;
const colon = 0x3a;
const space = 0x20;
const point = 0x2e;

/** `YYYY-MM-DD` */
export function printDate(out: Bytes, year: number, month: number, day: number): void {
  out.digits(year, 4);
  out.byte(dash);
  out.digits(month, 2);
  out.byte(dash);
  out.digits(day, 2);
}

/** `hh:mm:ss`; the hours may have three digits. */
export function printClock(out: Bytes, hour: number, minute: number, second: number): void {
  out.digits(hour, hour > 99 ? 3 : 2);
  out.byte(colon);
  out.digits(minute, 2);
  out.byte(colon);
  out.digits(second, 2);
}

/** ` hh:mm:ss` behind a date. */
export function printClockOfDay(out: Bytes, hour: number, minute: number, second: number): void {
  out.byte(space);
  printClock(out, hour, minute, second);
}

/** `.123` for 123000 µs and 3 digits; nothing for none. */
export function printFraction(out: Bytes, micros: number, digits: number): void {
  if (digits === 0) return;
  out.byte(point);
  out.digits(Math.floor(micros / 10 ** (6 - digits)), digits);
}

let lastDay = Number.NaN;
let lastDate: ReturnType<typeof civilDate> = [0, 0, 0];

/** Seconds since 1970 (UTC) as `YYYY-MM-DD hh:mm:ss`. */
export function printEpochSeconds(out: Bytes, seconds: number): void {
  const day = Math.floor(seconds / 86_400);
  const rest = seconds - day * 86_400;
  if (day !== lastDay) {
    lastDay = day;
    lastDate = civilDate(day);
  }
  printDate(out, lastDate[0], lastDate[1], lastDate[2]);
  const minutes = Math.floor(rest / 60);
  printClockOfDay(out, Math.floor(minutes / 60), minutes % 60, rest % 60);
}
