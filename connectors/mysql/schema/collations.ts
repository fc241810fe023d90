import type { Asker } from '../connection/session.ts';
import { newerThan, type Server } from '../connection/server.ts';
import { charsetName } from './column-type.ts';

/** What the server's collation numbers and character sets mean. */
export class Collations {
  readonly #charsets: ReadonlyMap<number, string>;
  readonly #longest: ReadonlyMap<string, number>;

  constructor(charsets: ReadonlyMap<number, string>, longest: ReadonlyMap<string, number>) {
    this.#charsets = charsets;
    this.#longest = longest;
  }

  /** The character set of a collation; null where the number is not known. */
  charset(id: number | null): string | null {
    return id === null ? null : (this.#charsets.get(id) ?? null);
  }

  /** The most bytes that a character takes; null where the character set is not known. */
  longest(charset: string): number | null {
    return charset === 'binary' ? 1 : (this.#longest.get(charset) ?? null);
  }
}

export async function readCollations(session: Asker, server: Server, signal: AbortSignal): Promise<Collations> {
  // From 10.10 on a collation of MariaDB may have a number for each character set.
  const numbered = server.flavour === 'mariadb' && newerThan(server.version, 10, 10);
  const table = numbered ? 'collation_character_set_applicability' : 'collations';
  const ids = await session.query(
    `SELECT id, character_set_name AS charset FROM information_schema.${table} WHERE id IS NOT NULL`,
    signal,
  );
  const sets = await session.query(
    'SELECT character_set_name AS charset, maxlen FROM information_schema.character_sets',
    signal,
  );
  return new Collations(
    new Map(ids.map((row) => [Number(row['id']), charsetName(row['charset'] ?? '')])),
    new Map(sets.map((row) => [charsetName(row['charset'] ?? ''), Number(row['maxlen'])])),
  );
}
