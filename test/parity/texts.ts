import { literal } from '../../dev/sql.ts';
import { oneOf, quoted, type Edge, type ParityColumn } from './column.ts';

const czech = 'abc XYZ ěščřžýáíé';

/** A text column and what its character set can write: nothing, one letter, its full length, and what SQL and COPY take for signs. */
function characters(sql: string, repertoire: string, longest: number): ParityColumn {
  const all = [...repertoire];
  const full = Array.from({ length: longest }, (_, i) => all[i % all.length]).join('');
  const backslash = sql.endsWith('swe7') ? '' : '\\'; // there is none in Swedish
  const signs = ` '${backslash}"\n\t `;
  const fitting = ['', 'a', full, [...signs].slice(0, longest).join('')];
  const kept = sql.startsWith('CHAR') ? fitting.map((text) => text.replace(/ +$/, '')) : fitting;
  return {
    sql,
    edges: kept.map((text): Edge => ({
      sql: literal(text),
      label: literal(text.length > 24 ? `${text.slice(0, 24)}…` : text),
    })),
    is: kept,
    random: (random) =>
      literal(Array.from({ length: random.int(longest + 1) }, () => all[random.int(all.length)]).join('')),
  };
}

export const texts: readonly ParityColumn[] = [
  characters('CHAR(5) CHARACTER SET utf8mb4', `${czech}🙂日`, 5),
  {
    sql: 'CHAR(4) CHARACTER SET latin1',
    edges: ["'a   '", "'  b'"],
    is: ['a', '  b'],
    random: oneOf("'x '"),
    note: 'the server drops spaces at the end of CHAR',
  },
  characters('CHAR(100) CHARACTER SET utf8mb4', `${czech}🙂日`, 60),
  characters('VARCHAR(20) CHARACTER SET utf8mb4', `${czech}🙂日本`, 20),
  {
    sql: 'VARCHAR(12) CHARACTER SET utf8mb4',
    edges: quoted([
      'trail   ',
      ' ',
      'NULL',
      '\\N',
      '\\.',
      '{}',
      '\u{10ffff}',
      'e\u0301',
      '\u200b\ufeff',
      '\u0001\u007f',
    ]),
    is: ['trail   ', ' ', 'NULL', '\\N', '\\.', '{}', '\u{10ffff}', 'e\u0301', '\u200b\ufeff', '\u0001\u007f'],
    random: oneOf("'x  '"),
  },
  characters('VARCHAR(400) CHARACTER SET latin1', 'abc €‚ƒ„…†‡ˆ‰Š‹ŒŽ äöüÿ§', 300),
  characters('TINYTEXT CHARACTER SET utf8mb4', `${czech}🙂`, 50),
  characters('TEXT CHARACTER SET latin1', 'abc äöü€', 500),
  {
    sql: 'MEDIUMTEXT CHARACTER SET utf8mb4',
    edges: ["REPEAT('ž', 40000)", "''", "REPEAT('🙂', 20000)"],
    is: ['ž'.repeat(40_000), '', '🙂'.repeat(20_000)],
    random: (random) => `REPEAT('é', ${random.int(300)})`,
  },
  characters('LONGTEXT CHARACTER SET utf8mb4', `${czech}🙂`, 50),
];

/** Longer than what is compressed (column_compression_threshold), or not; of text that gets shorter by it, or not. */
const compressible = ['', 'a', 'x'.repeat(99), 'ab'.repeat(100), 'x'.repeat(255)];

const compressedText = (sql: string, more: string): ParityColumn => ({
  sql,
  edges: [...compressible, more].map((text) => ({ sql: literal(text), label: literal(text.slice(0, 12)) })),
  is: [...compressible, more],
  random: (random) => `REPEAT(${literal(more.slice(0, 10))}, ${random.int(20)})`,
  only: 'mariadb',
});

/** Columns that MariaDB compresses. */
export const compressedTexts: readonly ParityColumn[] = [
  compressedText('VARCHAR(255) COMPRESSED CHARACTER SET latin1', '€äöü'.repeat(60)),
  compressedText('VARCHAR(256) COMPRESSED CHARACTER SET ascii', 'abcdefghij'.repeat(20)),
  compressedText('VARCHAR(2000) COMPRESSED=zlib CHARACTER SET utf8mb4', `${czech}🙂日`.repeat(80)),
  ...['TINYTEXT', 'TEXT', 'MEDIUMTEXT', 'LONGTEXT'].map((type) =>
    compressedText(`${type} COMPRESSED CHARACTER SET utf8mb4`, `${czech}🙂`.repeat(type === 'TINYTEXT' ? 7 : 200)),
  ),
];

export const labels: readonly ParityColumn[] = [
  {
    sql: "ENUM('a','b''c','x,y','ž') CHARACTER SET latin2",
    edges: ["'a'", "'b\\'c'", "'x,y'", '4', { sql: "'not there'", label: "'' (index 0)" }],
    is: ['a', "b'c", 'x,y', 'ž', ''],
    random: (random) => String(random.between(1, 4)),
    note: 'labels with a comma and a quote, in another character set',
  },
  {
    sql: "ENUM('малый','большой') CHARACTER SET cp1251",
    edges: ["'малый'", "'большой'"],
    is: ['малый', 'большой'],
    random: oneOf('1', '2'),
  },
  {
    sql: `ENUM(${Array.from({ length: 300 }, (_, i) => `'v${i}'`).join()})`,
    edges: ["'v0'", "'v255'", "'v256'", "'v299'"],
    is: ['v0', 'v255', 'v256', 'v299'],
    random: (random) => `'v${random.int(300)}'`,
  },
  {
    sql: "SET('a','b''c','d e','ž','\"q\\\\') CHARACTER SET utf8mb4",
    edges: ["''", "'ž,a'", "'a,b\\'c,d e,ž'", "'\"q\\\\'"],
    is: ['', 'a,ž', "a,b'c,d e,ž", '"q\\'],
    random: (random) => String(random.int(32)),
    note: 'in the order of the definition',
  },
  {
    sql: "ENUM('\\\\','\\n','a\\\\b','\\\\n','\"')",
    edges: ["'\\\\'", "'\\n'", "'a\\\\b'", "'\\\\n'", "'\"'"],
    is: ['\\', '\n', 'a\\b', '\\n', '"'],
    random: (random) => String(random.between(1, 5)),
    note: 'labels of backslashes and line breaks',
  },
  {
    sql: "SET('日本','中文') CHARACTER SET gbk",
    edges: ["'中文,日本'", "'日本'"],
    is: ['日本,中文', '日本'],
    random: (random) => String(random.int(4)),
  },
  {
    sql: `SET(${Array.from({ length: 64 }, (_, i) => `'v${i}'`).join()})`,
    edges: ["'v63,v0'", { sql: '18446744073709551615', label: 'all 64' }],
    is: ['v0,v63'],
    random: (random) => `0x${random.bytes(8).toString('hex')}`,
  },
];

/** Text that a character set can write, for every one that is read. All its characters: charsets.mysql.test.ts. */
const repertoires: Readonly<Record<string, string>> = {
  armscii8: 'abc ԱԲԳաբգ«»',
  ascii: 'abc ~!',
  big5: 'abc 日本中文①⑵ョЖ',
  cp1250: `${czech}€„`,
  cp1251: 'abc Приветё№€',
  cp1256: 'abc مرحبا€پ',
  cp1257: 'abc ąčęėįšųū€',
  cp850: 'abc éäöÿ½▒',
  cp852: 'abc ěščřžýáíé',
  cp866: 'abc Приветё─█',
  cp932: 'abc 日本カナ①㈱髙',
  dec8: 'abc äöüéŒŸ¤',
  eucjpms: 'abc 日本カナ①㈱髙～',
  euckr: 'abc 안녕하세요日本',
  gb18030: 'abc 日本中文🙂€ěä𠀀',
  gb2312: 'abc 日本中文',
  gbk: 'abc 日本中文髙',
  geostd8: 'abc გამარჯობა€',
  greek: 'abc Αβγάέή½',
  hebrew: 'abc שלום',
  hp8: 'abc éèßŠš½',
  keybcs2: `${czech}█`,
  koi8r: 'abc Привет─█',
  koi8u: 'abc Привітєїґ',
  latin1: 'abc €‚ƒ„…†‡ˆ‰Š‹ŒŽ äöüÿ§',
  latin2: czech,
  latin5: 'abc ğışĞİŞäö',
  latin7: 'abc ąčęėįšųū',
  macce: 'abc ěščřžýáíé',
  macroman: 'abc äöüéπ∂€',
  sjis: 'abc 日本カナｶﾅ',
  swe7: 'abcÅÄÖåäö',
  tis620: 'abc สวัสดี',
  ucs2: `${czech}日本`,
  ujis: 'abc 日本カナ〜',
  utf16: `${czech}🙂日本`,
  utf16le: `${czech}🙂日本`,
  utf32: `${czech}🙂日本`,
  utf8mb3: `${czech}日本`,
  utf8mb4: `${czech}🙂日本`,
};

export const charsets: readonly ParityColumn[] = Object.entries(repertoires).map(([set, repertoire]) => ({
  ...characters(`VARCHAR(20) CHARACTER SET ${set}`, repertoire, 18),
  ...(set === 'gb18030' ? { only: 'mysql' as const } : {}),
}));
