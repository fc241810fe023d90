/**
 * A decimal number's one text: digits without leading or trailing zeros and an exponent, `-15e-1` for -1.50, `0` for any zero.
 * Exact at every length: nothing goes through a double.
 */
export function exactNumber(text: string): string {
  const parts = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
  if (parts === null) return `?${text}`;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const scale = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${sign === '-' ? '-' : ''}${significant}e${scale}`;
}

/** A fixed-point number without the zeros that do not change its value: `1.50` is `1.5`, `-0.00` and `000` are `0`. */
export function plainDecimal(text: string): string {
  if (/^0\d/.test(text)) return plainDecimal(text.replace(/^0+(?=\d)/, ''));
  let end = text.length;
  if (text.includes('.')) {
    while (text.charCodeAt(end - 1) === 48) end -= 1;
    if (text.charCodeAt(end - 1) === 46) end -= 1;
  }
  const short = text.slice(0, end);
  return short === '-0' || short === '' || short === '-' ? '0' : short;
}

/** A double's one text; the sign of zero counts. */
export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The order of two whole numbers written in decimal. */
export function compareIntegers(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length < 16 && b.length < 16) return Number(a) - Number(b);
  return BigInt(a) < BigInt(b) ? -1 : 1;
}
