import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isValidUtf8 } from '../../../core/utf8.ts';
import { seed } from '../../support/seed.ts';

const character = fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text));
const anything = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes));

test('well-formed is what the runtime takes for it, wherever it lies and however long it is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(character, character, anything), { maxLength: 400 }),
      fc.nat(10),
      fc.nat(10),
      (parts, before, behind) => {
        const bytes = Buffer.concat(parts);
        const [start, end] = [Math.min(before, bytes.length), Math.max(before, bytes.length - behind)];
        const to = Math.min(bytes.length, end);
        expect(isValidUtf8(bytes, start, to)).toBe(isUtf8(bytes.subarray(start, to)));
      },
    ),
    { seed, numRuns: 2000 },
  );
});

test.each([
  ['an overlong zero', [0xc0, 0x80]],
  ['an overlong letter', [0xe0, 0x80, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ['a character cut off', [0xf0, 0x9f, 0x98]],
  ['a byte that only goes on', [0x80]],
])('%s is none', (_what, bytes) => {
  expect(isValidUtf8(Buffer.from(bytes), 0, bytes.length)).toBe(false);
});
