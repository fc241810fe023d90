/** A date as the targets can hold it: null for zero, partial and impossible dates, which no target's date type has. */
export function realDate(date: string): string | null {
  const year = Number(date.slice(0, 4));
  const month = Number(date.slice(5, 7));
  const day = Number(date.slice(8, 10));
  return month === 0 || day === 0 || day > daysIn(year, month) ? null : date;
}

/** A date and time with no trailing zeros in its fraction; null as in `realDate`. */
export function realDatetime(text: string): string | null {
  return realDate(text) === null ? null : shortFraction(text);
}

/** `12:00:00.500` as `12:00:00.5`, `12:00:00.000` as `12:00:00`. */
export function shortFraction(text: string): string {
  if (!text.includes('.')) return text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end -= 1;
  return text.slice(0, text.charCodeAt(end - 1) === 46 ? end - 1 : end);
}

/** `[-][N days ][-]h:mm:ss[.digits]` as microseconds; `?` and the text where it is something else. */
export function microseconds(text: string): string {
  const parts = /^(?:(-?\d+) days? ?)?(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/.exec(text);
  if (parts === null || text === '') return `?${text}`;
  const [, days = '0', sign = '', hours = '0', minutes = '0', seconds = '0', fraction = ''] = parts;
  const clock = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1e6 + Number(fraction.padEnd(6, '0'));
  const total = Number(days) * 86_400e6 + (sign === '-' ? -clock : clock);
  return String(total === 0 ? 0 : total);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
