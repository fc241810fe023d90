/** Milliseconds since 1970 of `YYYY-MM-DD[ hh:mm:ss[.digits]]` taken as UTC; NaN for zero, partial and impossible dates. */
export function epochMs(text: string): number {
  const year = number(text, 0, 4);
  const month = number(text, 5, 2);
  const day = number(text, 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return Number.NaN;
  const days = Date.UTC(2000, month - 1, day) + yearMs(year, month);
  return text.length < 19 ? days : days + clockMs(text);
}

/** From the same day of 2000 to that of `year`: `Date.UTC` takes years below 100 for 1900 and later. */
function yearMs(year: number, month: number): number {
  const leaps = leapsBefore(month > 2 ? year + 1 : year) - leapsBefore(month > 2 ? 2001 : 2000);
  return ((year - 2000) * 365 + leaps) * 86_400_000;
}

/** Leap days before 1 January of `year`, counted from year 0. */
function leapsBefore(year: number): number {
  const y = year - 1;
  return Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
}

function clockMs(text: string): number {
  const seconds = number(text, 11, 2) * 3600 + number(text, 14, 2) * 60 + number(text, 17, 2);
  const digits = Math.min(3, text.length - 20);
  if (digits <= 0) return seconds * 1000;
  const fraction = number(text, 20, digits);
  return seconds * 1000 + (digits === 3 ? fraction : digits === 2 ? fraction * 10 : fraction * 100);
}

const lengths = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysIn(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return (lengths[month] ?? 0) + (leap ? 1 : 0);
}

function number(text: string, from: number, length: number): number {
  let value = 0;
  for (let i = from; i < from + length; i += 1) value = value * 10 + text.charCodeAt(i) - 48;
  return value;
}
