import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Bytes } from '../../../core/bytes.ts';

function written(write: (out: Bytes) => void): string {
  const out = new Bytes(1);
  out.byte(0x5b);
  write(out);
  out.byte(0x5d);
  return out.buffer.toString('utf8', 0, out.length);
}

it('writes whole numbers as JavaScript does', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(0, -1, 2 ** 31, 2 ** 32, 1e9, 1e15)),
      (value) => {
        expect(written((out) => out.integer(value))).toBe(`[${value}]`);
      },
    ),
    { numRuns: 2000 },
  );
});

it('writes the last digits of a number with zeros in front', () => {
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.integer({ min: 1, max: 17 }), (value, count) => {
      expect(written((out) => out.digits(value, count))).toBe(`[${String(value).padStart(17, '0').slice(-count)}]`);
    }),
    { numRuns: 2000 },
  );
});

it('writes text, ASCII and bytes of any length as they are, wherever it has to grow', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 200 });
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      ascii,
      fc.uint8Array({ maxLength: 200 }),
      (text, plain, bytes) => {
        const out = new Bytes(1);
        out.text(text);
        out.ascii(plain);
        out.copy(bytes, 0, bytes.length);
        out.copy(bytes, bytes.length >> 1, bytes.length);
        const expected = [Buffer.from(text), Buffer.from(plain), bytes, bytes.subarray(bytes.length >> 1)];
        expect(Buffer.from(out.buffer.subarray(0, out.length))).toEqual(Buffer.concat(expected));
      },
    ),
  );
});

it('writes numbers with the least significant byte first', () => {
  fc.assert(
    fc.property(fc.integer(), fc.maxSafeInteger(), fc.double(), (short, long, double) => {
      const out = new Bytes(1);
      out.int32le(short);
      out.int64le(long);
      out.float64le(double);
      const { buffer } = out;
      expect([buffer.readInt32LE(0), buffer.readBigInt64LE(4)]).toEqual([short, BigInt(long)]);
      expect(buffer.readDoubleLE(12)).toBe(double);
      expect(out.length).toBe(20);
    }),
  );
});

it('begins anew when it is released', () => {
  const out = new Bytes(1);
  out.ascii('x'.repeat(100_000));
  out.release();
  out.ascii('y');
  expect([out.length, out.buffer.length < 10_000, out.buffer[0]]).toEqual([1, true, 0x79]);
});
