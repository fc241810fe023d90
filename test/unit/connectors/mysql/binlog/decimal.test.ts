import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packedDecimal } from '../../../../../connectors/mysql/binlog/decimal.ts';
import { printedText } from '../../../../../connectors/mysql/values/printed.ts';

interface Decimal {
  readonly precision: number;
  readonly scale: number;
  readonly text: string;
}

const digits = (length: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: length, maxLength: length }).map((all) => all.join(''));

/** Any DECIMAL that the servers know, with a value as they print it. */
const decimals: fc.Arbitrary<Decimal> = fc
  .integer({ min: 1, max: 65 })
  .chain((precision) => fc.tuple(fc.constant(precision), fc.integer({ min: 0, max: Math.min(30, precision) })))
  .chain(([precision, scale]) =>
    fc.tuple(fc.constant({ precision, scale }), digits(precision - scale), digits(scale), fc.boolean()),
  )
  .map(([{ precision, scale }, whole, fraction, negative]) => {
    const zero = /^0*$/.test(whole + fraction);
    const text = `${whole.replace(/^0+(?=\d)/, '') || '0'}${scale === 0 ? '' : `.${fraction}`}`;
    return { precision, scale, text: negative && !zero ? `-${text}` : text };
  });

/** As the servers pack it (strings/decimal.cc, decimal2bin), written down a second time: nines from the point outwards. */
function pack({ precision, scale, text }: Decimal): Buffer {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const left = precision === scale ? '' : whole.padStart(precision - scale, '0');
  const rest = left.length % 9;
  const groups = [left.slice(0, rest), ...inNines(left.slice(rest)), ...inNines(fraction)];
  const packed = Buffer.concat(groups.map(packGroup));
  const flipped = text.startsWith('-') ? packed.map((byte) => byte ^ 0xff) : packed;
  return Buffer.from(flipped.map((byte, i) => (i === 0 ? byte ^ 0x80 : byte)));
}

const inNines = (text: string): string[] => text.match(/.{1,9}/g) ?? [];
const groupSizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

function packGroup(group: string): Buffer {
  const size = groupSizes[group.length] ?? 0;
  const bytes = Buffer.alloc(size);
  if (size > 0) bytes.writeUIntBE(Number(group), 0, size);
  return bytes;
}

describe('a packed decimal', () => {
  it('is read as the text that was packed, up to its last byte', () => {
    fc.assert(
      fc.property(decimals, (decimal) => {
        const packed = pack(decimal);
        const { width, print } = packedDecimal(decimal.precision, decimal.scale);
        expect(width).toBe(packed.length);
        const amid = Buffer.concat([Buffer.of(9), packed, Buffer.of(9)]);
        expect(printedText(print, amid, 1, packed.length + 1)).toBe(decimal.text);
      }),
      { numRuns: 1000 },
    );
  });
});
