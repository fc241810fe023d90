import iconv from 'iconv-lite';
import { LockstepError } from '../../core/errors.ts';

/** Decodes `bytes[start, end)` from one character set. */
export type TextDecode = (bytes: Buffer, start: number, end: number) => string;

const utf8: TextDecode = (bytes, start, end) => bytes.toString('utf8', start, end);

/** MySQL's names where iconv-lite has other ones. */
const iconvNames: Readonly<Record<string, string>> = {
  latin1: 'windows-1252',
  ucs2: 'utf-16be',
  utf16: 'utf-16be',
  utf16le: 'utf-16le',
  utf32: 'utf-32be',
  cp932: 'windows-932',
  sjis: 'shift_jis',
  ujis: 'euc-jp',
  eucjpms: 'euc-jp',
  euckr: 'euc-kr',
  gb2312: 'gbk',
  latin2: 'iso-8859-2',
  latin5: 'iso-8859-9',
  latin7: 'iso-8859-13',
  hebrew: 'iso-8859-8',
  greek: 'iso-8859-7',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  tis620: 'tis620',
  macroman: 'macroman',
  macce: 'maccenteuro',
};

/** The decoder of a MySQL character set. Errors: SOURCE_TYPE_UNSUPPORTED for one that is not known. */
export function textDecoder(charset: string, where: string): TextDecode {
  if (charset === 'utf8mb4' || charset === 'utf8mb3' || charset === 'utf8' || charset === 'ascii') return utf8;
  if (charset === 'latin1') return decodeLatin1;
  const name = iconvNames[charset] ?? charset;
  if (!iconv.encodingExists(name)) {
    throw new LockstepError(
      'SOURCE_TYPE_UNSUPPORTED',
      `${where} is in the character set ${charset}, which is not known`,
      {
        fix: 'ALTER the column to utf8mb4, or leave the table out of source.tables',
      },
    );
  }
  return (bytes, start, end) => iconv.decode(bytes.subarray(start, end), name);
}

/** MySQL's latin1 is cp1252 with the five holes filled by control characters, as browsers have it. */
const windows1252 = new TextDecoder('windows-1252');

function decodeLatin1(bytes: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i += 1) {
    if ((bytes[i] ?? 0) >= 0x80) return windows1252.decode(bytes.subarray(start, end));
  }
  return bytes.toString('latin1', start, end);
}
