import iconv from 'iconv-lite';
import { LockstepError } from '../../../core/errors.ts';
import { swe7, upperHalves } from './charset-codes.ts';
import { codedText, isCoded } from './coded-text.ts';

/** Decodes `bytes[start, end)` from one character set. */
export type TextDecode = (bytes: Buffer, start: number, end: number) => string;

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

/** Codes that iconv-lite knows and the servers do not. */
function unknown(...codes: readonly number[]): Readonly<Record<number, string>> {
  return Object.fromEntries(codes.map((code) => [code, '?']));
}

/** Codes of single-byte sets that the servers read otherwise than iconv-lite; found by asking both servers for every character. */
const otherCodes: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  armscii8: { 0xa1: '\u2741', 0xa2: '\u00a7', 0xad: '\u055f', 0xfe: '\u2019', 0xff: "'" },
  cp1256: unknown(0x8a, 0x8f, 0x98, 0x9a, 0x9f, 0xaa, 0xc0, 0xff),
  cp866: { 0xfc: '\u207f', 0xfd: '\u00b2' },
  greek: { 0xa1: '\u02bd', 0xa2: '\u02bc', ...unknown(0xa4, 0xa5, 0xaa) },
  hebrew: { 0xaf: '\u203e' },
  koi8u: { 0x95: '\u2022' },
  macroman: { 0xbd: '\u03a9', 0xdb: '\u20ac', 0xf0: '\uf8ff' },
  tis620: {
    ...Object.fromEntries(Array.from({ length: 32 }, (_, i) => [0x80 + i, String.fromCharCode(0x80 + i)])),
    ...Object.fromEntries([0xa0, 0xdb, 0xdc, 0xdd, 0xde, 0xfc, 0xfd, 0xfe, 0xff].map((code) => [code, '\ufffd'])),
  },
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

const singleByte = new Set([
  ...'armscii8 ascii cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u'.split(
    ' ',
  ),
  ...'latin2 latin5 latin7 macce macroman swe7 tis620'.split(' '),
]);
const unicode = new Set(['ucs2', 'utf16', 'utf16le', 'utf32']);

/** True for sets whose bytes are UTF-8 as they are. */
export function isUtf8(charset: string): boolean {
  return charset === 'utf8mb4' || charset === 'utf8mb3' || charset === 'utf8';
}

/** The decoder of a MySQL character set. Errors: SOURCE_TYPE_UNSUPPORTED for a set, or later a character, that is not known; SOURCE_SCHEMA where the set is open. */
export function textDecoder(charset: string, where: string): TextDecode {
  if (charset === '') throw undecided(where);
  if (isUtf8(charset)) return utf8(charset, where);
  if (charset === 'latin1') return decodeLatin1;
  if (singleByte.has(charset)) return byteDecoder(byteTable(charset), charset !== 'swe7');
  const refuse = (): never => {
    throw unsupported(`${where} holds a character of ${charset} that is not known`);
  };
  if (isCoded(charset)) return codedText(charset, refuse);
  const name = iconvNames[charset] ?? charset;
  if (!iconv.encodingExists(name)) throw unsupported(`${where} is in the character set ${charset}, which is not known`);
  if (unicode.has(charset)) return wide(charset, name, where);
  return multiByte(charset, name, refuse);
}

/** The decoder puts U+FFFD for bytes that are no character; encoding tells it from one that was written. */
function utf8(charset: string, where: string): TextDecode {
  return (bytes, start, end) => {
    const text = bytes.toString('utf8', start, end);
    if (text.includes('\ufffd') && Buffer.from(text).compare(bytes, start, end) !== 0) throw notOf(charset, where);
    return text;
  };
}

function wide(charset: string, name: string, where: string): TextDecode {
  return (bytes, start, end) => {
    const text = iconv.decode(bytes.subarray(start, end), name, { stripBOM: false });
    if (!text.isWellFormed() || iconv.encode(text, name, { addBOM: false }).compare(bytes, start, end) !== 0)
      throw notOf(charset, where);
    return text;
  };
}

function notOf(charset: string, where: string): LockstepError {
  return unsupported(`${where} holds bytes that are no ${charset}`);
}

/** The characters of all 256 bytes; `?` where there is none, for so the server answers a SELECT. */
function byteTable(charset: string): readonly string[] {
  const name = iconvNames[charset] ?? charset;
  const upper = upperHalves[charset];
  return Array.from({ length: 256 }, (_, code) => {
    if (code < 0x80) return (charset === 'swe7' ? swe7[String.fromCharCode(code)] : null) ?? String.fromCharCode(code);
    if (charset === 'swe7' || charset === 'ascii') return '?';
    const other = otherCodes[charset]?.[code] ?? upper?.[code - 0x80];
    return other ?? iconv.decode(Buffer.of(code), name).replace('\ufffd', '?');
  });
}

function byteDecoder(table: readonly string[], hasAscii: boolean): TextDecode {
  return (bytes, start, end) => {
    if (hasAscii && isAscii(bytes, start, end)) return bytes.toString('latin1', start, end);
    let text = '';
    for (let i = start; i < end; i += 1) text += table[bytes[i] ?? 0] ?? '';
    return text;
  };
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) if ((bytes[i] ?? 0) >= 0x80) return false;
  return true;
}

function multiByte(charset: string, name: string, refuse: () => never): TextDecode {
  const others = otherCharacters[charset] ?? {};
  const pattern = new RegExp(`[${Object.keys(others).join('')}]`, 'g');
  return (bytes, start, end) => {
    const text = iconv.decode(bytes.subarray(start, end), name);
    if (text.includes('\ufffd')) refuse();
    return pattern.source === '[]' ? text : text.replace(pattern, (character) => others[character] ?? character);
  };
}

/** A column that came with its table's character set, on a server that does not log which one that is. */
function undecided(where: string): LockstepError {
  return new LockstepError('SOURCE_SCHEMA', `neither a statement nor the log says which character set ${where} has`, {
    fix: "SET GLOBAL binlog_row_metadata = 'FULL', then resync the table",
  });
}

function unsupported(message: string): LockstepError {
  return new LockstepError('SOURCE_TYPE_UNSUPPORTED', message, {
    fix: 'ALTER the column to utf8mb4, or leave the table out of source.tables',
  });
}

/** MySQL's latin1 is cp1252 with the five holes filled by control characters, as browsers have it. */
const windows1252 = new TextDecoder('windows-1252');

function decodeLatin1(bytes: Buffer, start: number, end: number): string {
  if (isAscii(bytes, start, end)) return bytes.toString('latin1', start, end);
  return windows1252.decode(bytes.subarray(start, end));
}
