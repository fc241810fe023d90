/** An exact decimal number: `digits` divided by ten to the power of `scale` (0 or more). */
export class Decimal {
  readonly digits: bigint;
  readonly scale: number;

  constructor(digits: bigint, scale: number) {
    this.digits = digits;
    this.scale = scale;
  }
}

const form = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/** Reads `-12.50` or `1e-7`; null where the text is no such number. */
export function parseDecimal(text: string): Decimal | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole + fraction === '') return null;
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? new Decimal(digits, scale) : new Decimal(digits * 10n ** BigInt(-scale), 0);
}

/** A number as a decimal: a double by its shortest text, so that 0.1 is one tenth. Null where it is not finite. */
export function toDecimal(value: number | bigint): Decimal | null {
  return typeof value === 'bigint' ? new Decimal(value, 0) : parseDecimal(String(value));
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`; exact at any size. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const [left, right] = aligned(a, b);
  return new Decimal(left + right, Math.max(a.scale, b.scale));
}

export function multiplyDecimals(a: Decimal, b: Decimal): Decimal {
  return new Decimal(a.digits * b.digits, a.scale + b.scale);
}

export function negateDecimal(a: Decimal): Decimal {
  return new Decimal(-a.digits, a.scale);
}

/** The number as MySQL prints it: all digits of its scale, no exponent. */
export function decimalText(a: Decimal): string {
  const digits = String(a.digits < 0n ? -a.digits : a.digits).padStart(a.scale + 1, '0');
  const whole = digits.slice(0, digits.length - a.scale);
  return (a.digits < 0n ? '-' : '') + whole + (a.scale === 0 ? '' : `.${digits.slice(-a.scale)}`);
}

function aligned(a: Decimal, b: Decimal): [bigint, bigint] {
  if (a.scale === b.scale) return [a.digits, b.digits];
  if (a.scale > b.scale) return [a.digits, b.digits * 10n ** BigInt(a.scale - b.scale)];
  return [a.digits * 10n ** BigInt(b.scale - a.scale), b.digits];
}
