import { describe, expect, it } from 'vitest';
import { textDecoder } from '../../../../../connectors/mysql/values/charset.ts';

const decoded = (charset: string, hex: string): string => {
  const bytes = Buffer.from(`ff${hex}ff`, 'hex');
  return textDecoder(charset, 'shop.t.v')(bytes, 1, bytes.length - 1);
};

describe('text of a column', () => {
  it.each([
    ['utf8mb4', 'c5be f09f9982 00', 'ž🙂\0'],
    ['utf8mb4', 'efbfbd', '\ufffd'],
    ['ascii', '41', 'A'],
    ['ucs2', '017e fffd', 'ž\ufffd'],
    ['utf16le', '3dd8 4ade', '🙊'],
    ['utf32', '0001f642', '🙂'],
    ['latin1', '80 8d', '€\u008d'],
  ])('in %s is decoded: %s', (charset, hex, text) => {
    expect(decoded(charset, hex.replaceAll(' ', ''))).toBe(text);
  });

  it.each([
    ['utf8mb4', 'ff'],
    ['utf8mb4', 'c5'],
    ['utf8mb3', 'eda0bd'],
    ['utf16', 'd83d'],
    ['utf16', '0041 42'],
    ['utf32', '00110000'],
    ['gbk', '81'],
  ])('that is no %s is refused, and never replaced: %s', (charset, hex) => {
    expect(() => decoded(charset, hex.replaceAll(' ', ''))).toThrow(
      expect.objectContaining({ code: 'SOURCE_TYPE_UNSUPPORTED', message: expect.stringContaining('shop.t.v') }),
    );
  });
});
