import { deflateRawSync } from 'node:zlib';
import { compressedColumn } from '../../../../../connectors/mysql/binlog/compressed-column.ts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packedDecimal } from '../../../../../connectors/mysql/binlog/decimal.ts';
import { printJson } from '../../../../../connectors/mysql/binlog/json.ts';
import {
  printClock,
  printDate,
  printEpochSeconds,
  printFraction,
} from '../../../../../connectors/mysql/values/calendar.ts';
import { formatJsonDouble, shortestFloat } from '../../../../../connectors/mysql/values/float.ts';
import { formatInet4, formatInet6, formatUuid } from '../../../../../connectors/mysql/values/network-types.ts';
import { printedText } from '../../../../../connectors/mysql/values/printed.ts';
import { setLabels } from '../../../../../connectors/mysql/values/set-labels.ts';
import { Bytes } from '../../../../../core/bytes.ts';

/** What is written to empty bytes. */
function written(write: (out: Bytes) => void): string {
  const out = new Bytes(1);
  write(out);
  return out.buffer.toString('utf8', 0, out.length);
}

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function decimal(precision: number, scale: number, hex: string): string {
  const packed = bytes(hex);
  const { width, print } = packedDecimal(precision, scale);
  expect(width).toBe(packed.length);
  return printedText(print, packed, 0, packed.length);
}

describe('a packed decimal', () => {
  it.each([
    [14, 4, '81 0d fb 38 d2 04 d2', '1234567890.1234'],
    [14, 4, '7e f2 04 c7 2d fb 2d', '-1234567890.1234'],
    [10, 2, '80 00 00 00 00', '0.00'],
    [10, 2, '7f ff ff ff fe', '-0.01'],
    [9, 9, '80 00 00 01', '0.000000001'],
    [1, 0, '89', '9'],
    [18, 0, 'bb 9a c9 ff 3b 9a c9 ff', '999999999999999999'],
  ])('(%i,%i) %s is read', (precision, scale, hex, text) => {
    expect(decimal(precision, scale, hex)).toBe(text);
  });
});

describe('a float', () => {
  it('is the shortest number that is the same in 32 bits', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const shortest = shortestFloat(value);
        expect(Math.fround(shortest)).toBe(value);
        expect(shortest.toExponential().length).toBeLessThanOrEqual(value.toExponential().length);
      }),
    );
    expect([1.1, 0.1, -3.4028234e38, 16_777_216].map((value) => shortestFloat(Math.fround(value)))).toEqual([
      1.1, 0.1, -3.4028235e38, 16_777_216,
    ]);
  });

  it.each([
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [0.1, '0.1'],
    [123_456_789_012_345, '123456789012345.0'],
    [1e15, '1e15'],
    [Number('1582296760752797.2'), '1582296760752797.2'],
    [1e-14, '0.00000000000001'],
    [1e-15, '0.000000000000001'],
    [1e-16, '1e-16'],
    [-1.5e300, '-1.5e300'],
  ])('%d inside JSON is printed as %s', (value, text) => {
    expect(formatJsonDouble(value)).toBe(text);
  });

  it('inside JSON comes back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(formatJsonDouble(value))).toBe(value);
      }),
    );
  });
});

describe('the calendar', () => {
  it('prints every second as the ISO format does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (seconds) => {
        const iso = new Date(seconds * 1000).toISOString();
        expect(written((out) => printEpochSeconds(out, seconds))).toBe(iso.slice(0, 19).replace('T', ' '));
      }),
    );
  });

  it('keeps zeros', () => {
    expect(written((out) => printDate(out, 0, 0, 0))).toBe('0000-00-00');
    expect(written((out) => printDate(out, 2020, 0, 10))).toBe('2020-00-10');
    expect(written((out) => printClock(out, 1, 2, 3))).toBe('01:02:03');
    expect(written((out) => printClock(out, 838, 59, 59))).toBe('838:59:59');
    expect(written((out) => printFraction(out, 1000, 3))).toBe('.001');
    expect(written((out) => printFraction(out, 1, 6))).toBe('.000001');
    expect(written((out) => printFraction(out, 0, 0))).toBe('');
  });
});

describe('JSON in the log', () => {
  it.each([
    ['', 'null'],
    ['04 00', 'null'],
    ['04 01', 'true'],
    ['05 ff ff', '-1'],
    ['0a ff ff ff ff ff ff ff ff', '18446744073709551615'],
    ['0c 03 61 22 0a', '"a\\"\\n"'],
    ['02 02 00 0a 00 05 01 00 04 01 00', '[1, true]'],
    ['00 01 00 0c 00 0b 00 01 00 05 07 00 61', '{"a": 7}'],
    ['0f f6 04 03 02 81 32', '1.50'],
  ])('%s is printed', (hex, text) => {
    const packed = bytes(hex);
    expect(printedText(printJson, packed, 0, packed.length, 'utf8')).toBe(text);
  });

  it.each(['10', '04 07', '02 ff ff ff ff', '0c ff ff ff ff ff ff'])('%s is refused as corrupt', (hex) => {
    const packed = bytes(hex);
    expect(() => printedText(printJson, packed, 0, packed.length, 'utf8')).toThrow(
      expect.objectContaining({ code: 'SOURCE_EVENT_CORRUPT' }),
    );
  });
});

describe('network types and sets', () => {
  it('are printed as the server does', () => {
    expect(formatUuid(bytes('123e4567e89b12d3a456426614174000'))).toBe('123e4567-e89b-12d3-a456-426614174000');
    expect(formatInet4(bytes('0aff0001'))).toBe('10.255.0.1');
    expect(formatInet6(bytes('0'.repeat(32)))).toBe('::');
    expect(formatInet6(bytes('00010000000200000003000000040000'))).toBe('1::2:0:3:0:4:0');
    expect(formatInet6(bytes('20010db8000000000000ff0000428329'))).toBe('2001:db8::ff00:42:8329');
    expect(formatInet6(bytes('00000000000000000000ffff0a010203'))).toBe('::ffff:10.1.2.3');
    expect(setLabels(5n, ['a', 'b', 'c'])).toBe('a,c');
    expect(setLabels(0n, ['a'])).toBe('');
  });
});

describe('a compressed value', () => {
  const latin1 = (packed: Buffer, start: number, end: number): string => packed.toString('latin1', start, end);
  const column = compressedColumn({ decode: latin1, print: null }, 'shop.t.c');
  const read = (hex: string): unknown => column.decode(bytes(hex), 0, bytes(hex).length);
  const packed = deflateRawSync('a'.repeat(300)).toString('hex');

  it.each([
    ['', ''],
    ['00 61 62', 'ab'],
    [`8a 012c ${packed}`, 'a'.repeat(300)],
  ])('%s is what was compressed', (hex, text) => {
    expect(read(hex)).toBe(text);
  });

  it.each([`8a 012d ${packed}`, `82 012c ${packed}`, '8c ffffffff 00', '90 00', '8f'])(
    '%s is refused with its column',
    (hex) => {
      expect(() => read(hex)).toThrow(
        expect.objectContaining({ code: 'SOURCE_EVENT_CORRUPT', message: expect.stringContaining('shop.t.c') }),
      );
    },
  );
});
