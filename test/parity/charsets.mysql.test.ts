import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textDecoder } from '../../connectors/mysql/values/charset.ts';
import { LockstepError } from '../../core/errors.ts';
import { startServer } from '../../dev/servers/index.ts';
import { openClient } from '../support/mysql-run.ts';

const wide = ['big5', 'cp932', 'eucjpms', 'euckr', 'gb18030', 'gb2312', 'gbk', 'sjis', 'ujis'];
const unicode = ['ucs2', 'utf16', 'utf16le', 'utf32', 'utf8mb3', 'utf8mb4'];
const singleByte = [
  ...'armscii8 ascii cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 dec8 geostd8 greek hebrew hp8 keybcs2 koi8r koi8u'.split(
    ' ',
  ),
  ...'latin1 latin2 latin5 latin7 macce macroman swe7 tis620'.split(' '),
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

  it('are all that the server has', async () => {
    const [rows] = await client.query<RowDataPacket[]>(
      'SELECT character_set_name AS name FROM information_schema.character_sets',
    );
    const names = rows.map(({ name }) => String(name)).filter((name) => name !== 'binary');
    expect([...wide, ...unicode, ...singleByte].toSorted()).toEqual(names.toSorted());
  });

  it.each([...wide, ...unicode, ...singleByte])(
    'every character of %s is read as the server reads it, or said to be unknown',
    async (set) => {
      const decode = textDecoder(set, 'sets.points');
      const wrong: string[] = [];
      let right = 0;
      for (const { bytes, text } of await charactersOf(client, set)) {
        const read = readOrRefuse(() => decode(bytes, 0, bytes.length));
        if (read === text) right += 1;
        else if (read !== null) wrong.push(`${bytes.toString('hex')}: ${text} and not ${read}`);
      }
      expect(wrong).toEqual([]);
      expect(right).toBeGreaterThanOrEqual(116);
    },
  );

  it.each(singleByte)('every byte in %s is what the server says it is, though it be no character', async (set) => {
    const decode = textDecoder(set, 'sets.points');
    const all = Array.from({ length: 256 }, (_, code) => code);
    const asked = all.map((code) => `HEX(CONVERT(_${set} x'${Buffer.of(code).toString('hex')}' USING utf8mb4))`);
    const [rows] = await client.query<RowDataPacket[]>(`SELECT CONCAT_WS(' ', ${asked.join()}) AS said`);
    const said = String(rows[0]?.['said'])
      .split(' ')
      .map((text) => Buffer.from(text, 'hex').toString());
    expect(all.map((code) => decode(Buffer.of(code), 0, 1))).toEqual(said);
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
