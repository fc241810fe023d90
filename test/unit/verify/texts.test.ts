import { assert, bigInt, double, jsonValue, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../verify/json.ts';
import { compareIntegers, exactNumber, plainDecimal } from '../../../verify/number.ts';
import { microseconds, realDate, realDatetime } from '../../../verify/time.ts';

describe('numbers', () => {
  it.each([
    ['0', '0'],
    ['-0.0', '0'],
    ['1.50', '15e-1'],
    ['-1.5', '-15e-1'],
    ['1e20', '1e20'],
    ['100000000000000000000', '1e20'],
    ['1E+20', '1e20'],
    ['0.00120', '12e-4'],
    ['12345678901234567890123.5', '123456789012345678901235e-1'],
  ])('writes %s as %s', (text, exact) => {
    expect(exactNumber(text)).toBe(exact);
  });

  it('gives every double the same text however it is written', () => {
    const doubles = double({ noNaN: true, noDefaultInfinity: true });
    const agrees = property(doubles, (value) => {
      expect(exactNumber(String(value))).toBe(exactNumber(value.toExponential()));
    });
    assert(agrees);
  });

  it.each([
    ['1.50', '1.5'],
    ['1.00', '1'],
    ['100', '100'],
    ['0.00', '0'],
    ['-0.00', '0'],
    ['00012.10', '12.1'],
    ['-0.01', '-0.01'],
  ])('shortens the decimal %s to %s', (text, plain) => {
    expect(plainDecimal(text)).toBe(plain);
  });

  it('orders whole numbers of any length', () => {
    assert(
      property(bigInt(), bigInt(), (a, b) => {
        const order = Math.sign(compareIntegers(String(a), String(b)));
        expect(order).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});

describe('JSON', () => {
  it('is the same for all spellings of one document', () => {
    expect(canonicalJson('{"b": [1.0, 1e2], "a": "\\u00e9"}')).toBe(canonicalJson('{ "a":"é","b":[1,100] }'));
  });

  it('keeps numbers that a double would change apart', () => {
    expect(canonicalJson('9007199254740993')).not.toBe(canonicalJson('9007199254740992'));
  });

  it('takes the last of equal keys', () => {
    expect(canonicalJson('{"a":1,"a":2}')).toBe(canonicalJson('{"a":2}'));
  });

  it('keeps __proto__ as a key like any other', () => {
    expect(canonicalJson('{"__proto__":1}')).toBe('{"__proto__":1e0}');
  });

  it('agrees with JSON.parse about equality', () => {
    assert(
      property(jsonValue({ maxDepth: 4 }), (value) => {
        expect(canonicalJson(JSON.stringify(value))).toBe(canonicalJson(JSON.stringify(value, null, 2)));
      }),
    );
  });

  it.each(['', '{', '[1,]', '{"a"}', '"a', 'nul', '1 2'])('marks %j, which is no JSON', (text) => {
    expect(canonicalJson(text).includes('?')).toBe(true);
  });
});

describe('dates and times', () => {
  it.each(['0000-00-00', '2020-00-10', '2020-10-00', '2021-02-29', '1900-02-29'])('has no real date for %s', (date) => {
    expect(realDate(date)).toBeNull();
  });

  it('keeps a leap day and leaves out zeros at the end of a fraction', () => {
    expect(realDatetime('2024-02-29 01:02:03.120000')).toBe('2024-02-29 01:02:03.12');
    expect(realDatetime('2024-02-29 01:02:03.000')).toBe('2024-02-29 01:02:03');
  });

  it.each([
    ['00:00:00', '0'],
    ['-00:00:00.5', '-500000'],
    ['838:59:59', '3020399000000'],
    ['1 day 02:00:00', '93600000000'],
    ['-34 days -22:59:59', '-3020399000000'],
  ])('counts %s as %s microseconds', (text, micros) => {
    expect(microseconds(text)).toBe(micros);
  });
});
