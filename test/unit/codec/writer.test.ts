import { expect, test } from 'vitest';
import { AvroReader } from '../../../codec/avro/reader.ts';
import { AvroWriter } from '../../../codec/avro/writer.ts';

test('a text is whole at every length, also where its bytes need a longer length than its characters', () => {
  const letters = ['a', 'ä', '✓', '🙂'];
  for (const letter of letters) {
    for (let count = 0; count < 400; count += 1) checkText(`${letter.repeat(count)}x`);
    for (const count of [2730, 5461, 8190, 8191, 16_384, 21_845, 40_000, 70_000]) checkText(letter.repeat(count));
  }
});

function checkText(text: string): void {
  const writer = new AvroWriter(64);
  writer.string(text);
  const reader = new AvroReader();
  reader.open(writer.buffer.subarray(0, writer.length), 0);
  expect(reader.string() === text, `${text.length} characters beginning with ${text.slice(0, 2)}`).toBe(true);
}
