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
    lastDate = dateOfDay(day);
  }
  const minutes = Math.floor(rest / 60);
  return `${lastDate} ${formatClock(Math.floor(minutes / 60), minutes % 60, rest % 60)}`;
}

/** Days since 1970-01-01 as a civil date. Source: H. Hinnant, chrono-compatible low-level date algorithms. */
function dateOfDay(days: number): string {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return formatDate(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day);
}
