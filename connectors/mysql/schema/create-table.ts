import { tableSchema, type TableSchema } from '../../../core/table.ts';
import { originOf, type NamedTable } from './ddl.ts';
import { readElement, readTableCharset, type Operation } from './alter-table.ts';
import type { Dialect } from './column-definition.ts';
import { evolve } from './evolve.ts';
import type { TokenReader } from './tokens.ts';

/** What CREATE TABLE makes: a table, or one like another. Null where that is not understood. */
export type Created = { readonly table: TableSchema; readonly standIn: boolean } | { readonly like: NamedTable } | null;

/** Reads what follows the name of CREATE TABLE. */
export function readCreated(reader: TokenReader, named: NamedTable, database: string, dialect: Dialect): Created {
  if (reader.skip('LIKE')) return { like: reader.table(database) };
  if (!reader.skip('(')) return null;
  if (reader.skip('LIKE')) return { like: reader.table(database) };
  const operations: Operation[] = [];
  while (!reader.ended && !reader.skip(')')) {
    if (reader.skip(',')) continue;
    operations.push(...(readElement(reader, dialect) ?? []));
  }
  operations.push(...readOptions(reader));
  const empty = tableSchema({
    database: named.database,
    name: named.table,
    origin: originOf(named),
    columns: [],
    key: [],
  });
  const made = evolve(empty, false, operations);
  return made === null || made.table.columns.length === 0 ? null : { table: made.table, standIn: made.standIn };
}

/** Of the options only the character set matters; what a SELECT would add is not known here. */
function readOptions(reader: TokenReader): Operation[] {
  const found: Operation[] = [];
  while (!reader.ended) {
    const word = reader.word();
    if (['AS', 'SELECT', 'WITH', 'VALUES', 'TABLE'].includes(word)) found.push({ kind: 'unknown', text: word });
    if (word === 'DEFAULT' && !['CHARACTER', 'CHARSET', 'COLLATE'].includes(reader.word(1))) reader.take();
    else if (['DEFAULT', 'CHARACTER', 'CHARSET', 'COLLATE'].includes(word)) found.push(...readTableCharset(reader));
    else reader.group();
  }
  return found;
}
