import { civilDays } from '../../core/civil-date.ts';

/** Milliseconds since 1970 of `YYYY-MM-DD[ hh:mm:ss[.digits]]` taken as UTC; NaN for zero, partial and impossible dates. */
export function epochMs(text: string): number {
  const days = civilDays(number(text, 0, 4), number(text, 5, 2), number(text, 8, 2)) * 86_400_000;
  return text.length < 19 ? days : days + clockMs(text);
}

function clockMs(text: string): number {
  const seconds = number(text, 11, 2) * 3600 + number(text, 14, 2) * 60 + number(text, 17, 2);
  const digits = Math.min(3, text.length - 20);
  if (digits <= 0) return seconds * 1000;
  const fraction = number(text, 20, digits);
  return seconds * 1000 + (digits === 3 ? fraction : digits === 2 ? fraction * 10 : fraction * 100);
}

function number(text: string, from: number, length: number): number {
  let value = 0;
  for (let i = from; i < from + length; i += 1) value = value * 10 + text.charCodeAt(i) - 48;
  return value;
}
