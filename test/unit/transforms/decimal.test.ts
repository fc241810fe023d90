import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addDecimals,
  compareDecimals,
  type Decimal,
  decimalText,
  multiplyDecimals,
  parseDecimal,
} from '../../../transforms/decimal.ts';

const parts = fc.tuple(fc.bigInt({ min: -(10n ** 65n), max: 10n ** 65n }), fc.integer({ min: 0, max: 30 }));
const textOf = ([digits, scale]: readonly [bigint, number]): string => decimalText({ digits, scale });
const read = (text: string): Decimal => {
  const value = parseDecimal(text);
  if (value === null) throw new Error(`${text} is no decimal`);
  return value;
};

test('every decimal MySQL can hold is read and printed as it was', () => {
  fc.assert(
    fc.property(parts, (one) => {
      expect(decimalText(read(textOf(one)))).toBe(textOf(one));
    }),
  );
});

test('comparison, sum and product are those of whole numbers at a common scale', () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      const whole = ([digits, scale]: readonly [bigint, number]): bigint => digits * 10n ** BigInt(30 - scale);
      const [left, right] = [read(textOf(a)), read(textOf(b))];
      expect(Math.sign(compareDecimals(left, right))).toBe(whole(a) < whole(b) ? -1 : whole(a) > whole(b) ? 1 : 0);
      const sum = addDecimals(left, right);
      expect(sum.digits * 10n ** BigInt(30 - sum.scale)).toBe(whole(a) + whole(b));
      expect(multiplyDecimals(left, right)).toEqual({ digits: a[0] * b[0], scale: a[1] + b[1] });
    }),
  );
});

test.each(['', '.', '-', 'abc', '1.2.3', '0x10', 'NaN', 'Infinity', '1e99999'])('%j is no decimal', (text) => {
  expect(parseDecimal(text)).toBeNull();
});

test('an exponent moves the point', () => {
  expect(decimalText(read('1e-7'))).toBe('0.0000001');
  expect(decimalText(read('-1.5e+3'))).toBe('-1500');
});
