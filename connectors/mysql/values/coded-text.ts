import iconv from 'iconv-lite';
import type { TextDecode } from './charset.ts';
import { big5, eucjpms, gb18030, ujis, type Runs } from './charset-codes.ts';

/** Sets in which the servers read too many codes otherwise than iconv-lite to change its text afterwards. */
type Coded = 'big5' | 'ujis' | 'eucjpms' | 'gb18030';

interface Codes {
  /** iconv-lite's name. */
  readonly name: string;
  readonly runs: Runs;
  /** The lowest second byte of a code. */
  readonly trail: number;
  /** Bytes of the code with these first two. */
  readonly widthOf: (lead: number, second: number) => number;
  /** Whether iconv-lite has characters under this lead byte that the server has not. */
  readonly isForeign: (lead: number) => boolean;
  /** Where iconv-lite gives none of these characters, its text is right as a whole. */
  readonly suspects?: RegExp;
}

const eucWidth = (lead: number): number => (lead < 0x80 ? 1 : lead === 0x8f ? 3 : 2);

const sets: Readonly<Record<Coded, Codes>> = {
  big5: {
    name: 'big5',
    runs: big5,
    trail: 0x40,
    widthOf: (lead) => (lead < 0x80 ? 1 : 2),
    isForeign: (lead) => lead < 0xa1 || lead > 0xf9,
  },
  ujis: {
    name: 'euc-jp',
    runs: ujis,
    trail: 0xa1,
    widthOf: eucWidth,
    isForeign: (lead) => lead === 0xad,
  },
  eucjpms: {
    name: 'euc-jp',
    runs: eucjpms,
    trail: 0xa1,
    widthOf: eucWidth,
    isForeign: () => false,
  },
  gb18030: {
    name: 'gb18030',
    runs: gb18030,
    trail: 0x40,
    widthOf: (lead, second) => (lead < 0x80 ? 1 : second >= 0x30 && second <= 0x39 ? 4 : 2),
    isForeign: () => false,
    suspects: /[\u3000\ufffd]/,
  },
};

export function isCoded(charset: string): charset is Coded {
  return Object.hasOwn(sets, charset);
}

/** Decodes code by code. `refuse` is called for one that is not known. */
export function codedText(set: Coded, refuse: () => never): TextDecode {
  const codes = sets[set];
  const others = charactersOf(codes);
  const userDefined = codes.name === 'euc-jp' ? userDefinedEuc : null;
  return (bytes, start, end) => {
    if (codes.suspects !== undefined) {
      const whole = iconv.decode(bytes.subarray(start, end), codes.name);
      if (!codes.suspects.test(whole)) return whole;
    }
    let text = '';
    let at = start;
    while (at < end) {
      const lead = bytes[at] ?? 0;
      const width = codes.widthOf(lead, bytes[at + 1] ?? 0);
      const next = Math.min(end, at + width);
      text += width === 1 ? String.fromCharCode(lead) : character(bytes.subarray(at, next));
      at = next;
    }
    return text;
  };

  function character(bytes: Buffer): string {
    const other = others.get(bytes.readUIntBE(0, bytes.length)) ?? userDefined?.(bytes);
    if (other !== undefined) return other;
    const text = iconv.decode(bytes, codes.name);
    return codes.isForeign(bytes[0] ?? 0) || text.includes('\ufffd') ? refuse() : text;
  }
}

function charactersOf({ runs, trail }: Codes): ReadonlyMap<number, string> {
  const characters = new Map<number, string>();
  for (const [first, run] of runs) {
    let code = first;
    for (const character of run) {
      characters.set(code, character);
      code = following(code, trail);
    }
  }
  return characters;
}

function following(code: number, trail: number): number {
  const low = code & 0xff;
  if (low === 0xfe) return (code & ~0xff) + 0x100 + trail;
  return low === 0x7e ? (code & ~0xff) + 0xa1 : code + 1;
}

const ROW = 94;
const ROWS = 10;

/** Rows 85 to 94 of both planes, which are for characters of one's own: Unicode's private use from U+E000 on. Source: strings/ctype-ujis.cc */
function userDefinedEuc(bytes: Buffer): string | undefined {
  const plane = bytes.length === 3 ? 1 : 0;
  const [row = 0, cell = 0] = bytes.subarray(plane);
  if (row < 0xf5 || row > 0xfe || cell < 0xa1 || cell > 0xfe) return undefined;
  return String.fromCharCode(0xe000 + (plane * ROWS + row - 0xf5) * ROW + cell - 0xa1);
}
