import type { NamedTable } from './ddl.ts';
import { TokenReader } from './tokens.ts';

/** The tables whose rows an ALTER TABLE adds or removes as a whole, with a partition or a tablespace, so that the log shows none of them. */
export interface UnloggedRows {
  /** Which of their rows came or went is not said. */
  readonly changed: readonly NamedTable[];
  readonly emptied: readonly NamedTable[];
  /** What a partition became. */
  readonly made: NamedTable | null;
  /** What became a partition. */
  readonly gone: NamedTable | null;
}

const ofPartition = ['DROP', 'TRUNCATE', 'DISCARD', 'IMPORT'];

/** Null for an ALTER TABLE that does nothing of the kind. Source: both manuals, "ALTER TABLE", partition_options and DISCARD | IMPORT TABLESPACE. */
export function unloggedRows(statement: string, database: string): UnloggedRows | null {
  const reader = new TokenReader(statement);
  const table = reader.subject(database);
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
function behind(reader: TokenReader, word: string, database: string): NamedTable {
  reader.name();
  reader.skip(word, 'TABLE');
  return reader.table(database);
}
