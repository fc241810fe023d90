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

/** Codes of single-byte sets that the servers read otherwise than iconv-lite; found by asking both servers for every character. */
const otherCodes: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  armscii8: { 0xa1: '\u2741', 0xa2: '\u00a7', 0xad: '\u055f', 0xfe: '\u2019' },
  cp866: { 0xfc: '\u207f', 0xfd: '\u00b2' },
  greek: { 0xa1: '\u02bd', 0xa2: '\u02bc' },
  hebrew: { 0xaf: '\u203e' },
  koi8u: { 0x95: '\u2022' },
  macroman: { 0xbd: '\u03a9', 0xdb: '\u20ac', 0xf0: '\uf8ff' },
  tis620: Object.fromEntries(Array.from({ length: 32 }, (_, i) => [0x80 + i, String.fromCharCode(0x80 + i)])),
};

/** The same for characters of multi-byte sets. */
const sjis = {
  '\uff3c': '\\',
  '\uffe0': '\u00a2',
  '\uffe1': '\u00a3',
  '\uffe2': '\u00ac',
  '\u2225': '\u2016',
  '\uff0d': '\u2212',
  '\uff5e': '\u301c',
};
const otherCharacters: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sjis,
  gb2312: { '\u2014': '\u2015', '\u00b7': '\u30fb' },
};

/** Sets in which too many codes mean something else than on the server. */
const unlike = new Set(['big5', 'ujis', 'eucjpms']);
const unicode = new Set(['ucs2', 'utf16', 'utf16le', 'utf32']);

/** The decoder of a MySQL character set. Errors: SOURCE_TYPE_UNSUPPORTED for a set, or later a character, that is not known. */
export function textDecoder(charset: string, where: string): TextDecode {
  if (charset === 'utf8mb4' || charset === 'utf8mb3' || charset === 'utf8' || charset === 'ascii') return utf8;
  if (charset === 'latin1') return decodeLatin1;
  const name = iconvNames[charset] ?? charset;
  if (unlike.has(charset) || !iconv.encodingExists(name))
    throw unsupported(`${where} is in the character set ${charset}, which is not known`);
  if (unicode.has(charset))
    return (bytes, start, end) => iconv.decode(bytes.subarray(start, end), name, { stripBOM: false });
  const codes = otherCodes[charset];
  return codes === undefined ? multiByte(charset, name, where) : singleByte(name, codes);
}

function singleByte(name: string, codes: Readonly<Record<number, string>>): TextDecode {
  const table = Array.from({ length: 256 }, (_, code) => codes[code] ?? iconv.decode(Buffer.of(code), name));
  return (bytes, start, end) => {
    let text = '';
    for (let i = start; i < end; i += 1) text += table[bytes[i] ?? 0] ?? '';
    return text;
  };
}

function multiByte(charset: string, name: string, where: string): TextDecode {
  const others = otherCharacters[charset] ?? {};
  const pattern = new RegExp(`[${Object.keys(others).join('')}]`, 'g');
  return (bytes, start, end) => {
    const text = iconv.decode(bytes.subarray(start, end), name);
    if (text.includes('\ufffd')) throw unsupported(`${where} holds a character of ${charset} that is not known`);
    return pattern.source === '[]' ? text : text.replace(pattern, (character) => others[character] ?? character);
  };
}

function unsupported(message: string): LockstepError {
  return new LockstepError('SOURCE_TYPE_UNSUPPORTED', message, {
    fix: 'ALTER the column to utf8mb4, or leave the table out of source.tables',
  });
}

/** MySQL's latin1 is cp1252 with the five holes filled by control characters, as browsers have it. */
const windows1252 = new TextDecoder('windows-1252');

function decodeLatin1(bytes: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i += 1) {
    if ((bytes[i] ?? 0) >= 0x80) return windows1252.decode(bytes.subarray(start, end));
  }
  return bytes.toString('latin1', start, end);
}
