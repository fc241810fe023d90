import { TokenReader } from './tokens.ts';

type Named = ReturnType<TokenReader['table']>;

/** The tables whose rows an ALTER TABLE adds or removes as a whole, with a partition or a tablespace, so that the log shows none of them. */
export interface UnloggedRows {
  /** Which of their rows came or went is not said. */
  readonly changed: readonly Named[];
  readonly emptied: readonly Named[];
  /** What a partition became. */
  readonly made: Named | null;
  /** What became a partition. */
  readonly gone: Named | null;
}

const ofPartition = ['DROP', 'TRUNCATE', 'DISCARD', 'IMPORT'];

/** Null for an ALTER TABLE that does nothing of the kind. Source: both manuals, "ALTER TABLE", partition_options and DISCARD | IMPORT TABLESPACE. */
export function unloggedRows(statement: string, database: string): UnloggedRows | null {
  const reader = new TokenReader(statement);
  while (!reader.ended && !reader.skip('TABLE')) reader.take();
  reader.skip('IF', 'EXISTS');
  const table = reader.table(database);
  const none: UnloggedRows = { changed: [], emptied: [], made: null, gone: null };
  for (; !reader.ended; reader.group()) {
    const isPartition = reader.word(1) === 'PARTITION';
    if (isPartition && ofPartition.includes(reader.word())) return { ...none, changed: [table] };
    if (reader.skip('IMPORT', 'TABLESPACE')) return { ...none, changed: [table] };
    if (reader.skip('DISCARD', 'TABLESPACE')) return { ...none, emptied: [table] };
    if (reader.skip('EXCHANGE', 'PARTITION')) return { ...none, changed: [table, behind(reader, 'WITH', database)] };
    if (reader.skip('CONVERT', 'PARTITION')) return { ...none, changed: [table], made: behind(reader, 'TO', database) };
    if (reader.skip('CONVERT', 'TABLE')) return { ...none, changed: [table], gone: reader.table(database) };
  }
  return null;
}

/** `p0 WITH TABLE other` */
function behind(reader: TokenReader, word: string, database: string): Named {
  reader.name();
  reader.skip(word, 'TABLE');
  return reader.table(database);
}
