import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Writer } from '../../../../codec/kafka/protocol.ts';

it('writes borrowed bytes as it writes others, and copies none of them', () => {
  const piece = fc.record({
    text: fc.string(),
    bytes: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const copied = new Writer(16);
      const borrowed = new Writer(16);
      for (const { text, bytes } of pieces) {
        copied.string(text).data(bytes).int8(1);
        borrowed.string(text).borrowed(bytes).int8(1);
      }
      expect(borrowed.bytes).toEqual(copied.bytes);
      for (const { bytes } of pieces) expect(borrowed.parts).toContain(bytes);
    }),
  );
});
