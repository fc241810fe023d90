import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textDecoder } from '../../connectors/mysql/charset.ts';
import { LockstepError } from '../../core/errors.ts';
import { startServer } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';

/** Sets that a table may not have: better a refusal than another text. */
const refused = ['big5', 'dec8', 'eucjpms', 'geostd8', 'hp8', 'keybcs2', 'swe7', 'ujis'];
const sets = [
  'armscii8',
  'ascii',
  'cp1250',
  'cp1251',
  'cp1256',
  'cp1257',
  'cp850',
  'cp852',
  'cp866',
  'cp932',
  'euckr',
  'gb2312',
  'gbk',
  'greek',
  'hebrew',
  'koi8r',
  'koi8u',
  'latin1',
  'latin2',
  'latin5',
  'latin7',
  'macce',
  'macroman',
  'sjis',
  'tis620',
  'ucs2',
  'utf16',
  'utf16le',
  'utf32',
  'utf8mb3',
  'utf8mb4',
];

describe('character sets', () => {
  const stack = new AsyncDisposableStack();
  let client: Connection;

  beforeAll(async () => {
    const server = stack.use(await startServer('mysql', { fast: true }));
    client = await openClient(server.url);
    stack.defer(() => client.destroy());
    await client.query('CREATE DATABASE sets');
    await client.query('CREATE TABLE sets.points (text VARCHAR(2) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)');
    const points = Array.from({ length: 0xffff }, (_, i) => i + 1).filter((point) => point < 0xd800 || point > 0xdfff);
    for (let at = 0; at < points.length; at += 16_000) {
      const literals = points.slice(at, at + 16_000).map((point) => `(_utf8mb4 x'${utf8(point).toString('hex')}')`);
      await client.query(
        `INSERT INTO sets.points VALUES ${literals.join()}, (_utf8mb4 x'${utf8(0x1_f600).toString('hex')}')`,
      );
    }
  });
  afterAll(() => stack.disposeAsync());

  it.each(sets)('reads every character of %s as the server does, or says that it cannot', async (set) => {
    const decode = textDecoder(set, 'sets.points');
    const wrong: string[] = [];
    let right = 0;
    for (const { bytes, text } of await charactersOf(client, set)) {
      const read = readOrRefuse(() => decode(bytes, 0, bytes.length));
      if (read === text) right += 1;
      else if (read !== null) wrong.push(`${bytes.toString('hex')}: ${text} and not ${read}`);
    }
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThanOrEqual(126);
  });

  it.each(refused)('refuses a column in %s', (set) => {
    expect(() => textDecoder(set, 'sets.points')).toThrow(
      expect.objectContaining({ code: 'SOURCE_TYPE_UNSUPPORTED', fix: expect.stringContaining('utf8mb4') }),
    );
  });
});

const utf8 = (point: number): Buffer => Buffer.from(String.fromCodePoint(point));

/** Every character of the set that the server can tell, as the set's bytes and as text. */
async function charactersOf(client: Connection, set: string): Promise<{ bytes: Buffer; text: string }[]> {
  const [rows] = await client.query<RowDataPacket[]>(
    `SELECT HEX(own) AS own, HEX(CONVERT(own USING utf8mb4)) AS back
     FROM (SELECT CONVERT(text USING ${set}) AS own FROM sets.points) AS converted`,
  );
  const all = rows.map(({ own, back }) => ({
    bytes: Buffer.from(String(own), 'hex'),
    text: Buffer.from(String(back), 'hex').toString(),
  }));
  return all.filter(({ text }) => text !== '?');
}

function readOrRefuse(read: () => string): string | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'SOURCE_TYPE_UNSUPPORTED') return null;
    throw error;
  }
}
