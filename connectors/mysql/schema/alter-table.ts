import type { NamedTable } from './ddl.ts';
import { charsetName, charsetOf } from './column-type.ts';
import { readDefault, readDefinition, type Definition, type Dialect } from './column-definition.ts';
import type { TokenReader } from './tokens.ts';

/** What an ALTER TABLE does to columns, key or name. What matters to nobody who only sees rows is left out. */
export type Operation =
  | { readonly kind: 'add'; readonly definition: Definition }
  | { readonly kind: 'drop'; readonly name: string }
  /** MODIFY and CHANGE: `from` gets this definition, maybe with another name. */
  | { readonly kind: 'change'; readonly from: string; readonly definition: Definition; readonly ifExists: boolean }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly ifExists: boolean }
  | { readonly kind: 'default'; readonly name: string; readonly value: string | null; readonly ifExists: boolean }
  /** The character set of every text column; null: the database's own. */
  | { readonly kind: 'convert'; readonly charset: string | null }
  /** For columns that get none of their own. */
  | { readonly kind: 'charset'; readonly charset: string | null }
  | { readonly kind: 'add-key'; readonly columns: readonly string[]; readonly primary: boolean }
  | { readonly kind: 'drop-primary-key' }
  /** An index goes of which only the server knows what it was. */
  | { readonly kind: 'drop-index' }
  | { readonly kind: 'rename-table'; readonly to: NamedTable }
  | { readonly kind: 'unknown'; readonly text: string };

/** Words with which an item begins that changes neither columns nor key. */
const harmless = new Set([
  ',',
  'ADD',
  'ALGORITHM',
  'ALTER',
  'ANALYZE',
  'AUTO_INCREMENT',
  'AVG_ROW_LENGTH',
  'CHECK',
  'CHECKSUM',
  'COALESCE',
  'COMMENT',
  'COMPRESSION',
  'CONNECTION',
  'DATA',
  'DELAY_KEY_WRITE',
  'DISABLE',
  'ENABLE',
  'ENCRYPTED',
  'ENCRYPTION',
  'ENCRYPTION_KEY_ID',
  'ENGINE',
  'ENGINE_ATTRIBUTE',
  'FORCE',
  'IETF_QUOTES',
  'INDEX',
  'INSERT_METHOD',
  'KEY_BLOCK_SIZE',
  'LOCK',
  'MAX_ROWS',
  'MIN_ROWS',
  'OPTIMIZE',
  'ORDER',
  'PACK_KEYS',
  'PAGE_CHECKSUM',
  'PAGE_COMPRESSED',
  'PAGE_COMPRESSION_LEVEL',
  'PARTITION',
  'PASSWORD',
  'REBUILD',
  'REMOVE',
  'REORGANIZE',
  'REPAIR',
  'ROW_FORMAT',
  'SECONDARY_ENGINE_ATTRIBUTE',
  'SECONDARY_LOAD',
  'SECONDARY_UNLOAD',
  'SEQUENCE',
  'STATS_AUTO_RECALC',
  'STATS_PERSISTENT',
  'STATS_SAMPLE_PAGES',
  'STORAGE',
  'TABLESPACE',
  'TRANSACTIONAL',
  'UNION',
  'VALIDATE',
  'WITH',
  'WITHOUT',
]);

/** Reads the items behind `ALTER TABLE name`. Never fails: what is not understood is an `unknown`. */
export function readOperations(reader: TokenReader, database: string, dialect: Dialect): Operation[] {
  const operations: Operation[] = [];
  while (!reader.ended) {
    if (reader.skip(',') || reader.skip(';')) continue;
    if (reader.skip('NOWAIT')) continue;
    if (reader.skip('WAIT')) reader.take();
    else operations.push(...readItem(reader, database, dialect));
  }
  return operations;
}

function readItem(reader: TokenReader, database: string, dialect: Dialect): readonly Operation[] {
  const first = reader.word();
  switch (first) {
    case 'ADD':
      reader.take();
      return readAdd(reader, dialect);
    case 'DROP':
      reader.take();
      return readDrop(reader);
    case 'MODIFY': {
      reader.take();
      const ifExists = skipColumnWords(reader, 'IF', 'EXISTS');
      const name = reader.name();
      return [{ kind: 'change', from: name, definition: readDefinition(reader, name, dialect), ifExists }];
    }
    case 'CHANGE': {
      reader.take();
      const ifExists = skipColumnWords(reader, 'IF', 'EXISTS');
      const from = reader.name();
      return [{ kind: 'change', from, definition: readDefinition(reader, reader.name(), dialect), ifExists }];
    }
    case 'RENAME':
      reader.take();
      return readRename(reader, database);
    case 'ALTER':
      reader.take();
      return readAlter(reader);
    case 'CONVERT':
      return readConvert(reader);
    case 'DEFAULT':
    case 'CHARACTER':
    case 'CHARSET':
    case 'COLLATE':
      return readTableCharset(reader);
    default:
      return readOther(reader);
  }
}

/** ADD: a column, several in brackets, or an index or constraint. */
function readAdd(reader: TokenReader, dialect: Dialect): readonly Operation[] {
  const constraint = skipConstraint(reader);
  const key = readKey(reader);
  if (key !== null) return key;
  const words = ['INDEX', 'KEY', 'FULLTEXT', 'SPATIAL', 'VECTOR', 'FOREIGN', 'CHECK', 'PARTITION', 'PERIOD', 'SYSTEM'];
  if (constraint || (words.includes(reader.word()) && !(reader.word() === 'VECTOR' && reader.word(1) === '('))) {
    const text = reader.word();
    reader.skipItem();
    return text === 'SYSTEM' || text === 'PERIOD' ? [{ kind: 'unknown', text: `ADD ${text}` }] : [];
  }
  skipColumnWords(reader, 'IF', 'NOT', 'EXISTS');
  if (!reader.skip('(')) return added(readDefinition(reader, reader.name(), dialect));
  const operations: Operation[] = [];
  while (!reader.ended && !reader.skip(')')) {
    if (reader.skip(',')) continue;
    operations.push(...(readElement(reader, dialect) ?? []));
  }
  return operations;
}

/** One element of a bracket of definitions: a column, or an index or constraint. */
export function readElement(reader: TokenReader, dialect: Dialect): readonly Operation[] | null {
  const constraint = skipConstraint(reader);
  const key = readKey(reader);
  if (key !== null) return key;
  const words = ['INDEX', 'KEY', 'FULLTEXT', 'SPATIAL', 'VECTOR', 'FOREIGN', 'CHECK', 'PERIOD'];
  if (constraint || words.includes(reader.word())) {
    const unknown = reader.word() === 'PERIOD';
    reader.skipItem();
    return unknown ? [{ kind: 'unknown', text: 'PERIOD' }] : [];
  }
  return added(readDefinition(reader, reader.name(), dialect));
}

function added(definition: Definition): readonly Operation[] {
  const add: Operation = { kind: 'add', definition };
  if (definition.key === null) return [add];
  return [add, { kind: 'add-key', columns: [definition.column.name], primary: definition.key === 'primary' }];
}

function skipConstraint(reader: TokenReader): boolean {
  if (!reader.skip('CONSTRAINT')) return false;
  reader.skip('IF', 'NOT', 'EXISTS');
  if (!['PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'].includes(reader.word())) reader.take();
  return true;
}

/** PRIMARY KEY and UNIQUE with the columns they name; null where neither comes. */
function readKey(reader: TokenReader): readonly Operation[] | null {
  const primary = reader.skip('PRIMARY', 'KEY');
  if (!primary && !reader.skip('UNIQUE')) return null;
  reader.skipAny('INDEX', 'KEY');
  reader.skip('IF', 'NOT', 'EXISTS');
  while (!reader.ended && reader.word() !== '(') reader.take();
  const columns = keyColumns(reader);
  reader.skipItem();
  // A prefix or an expression says nothing of a row; a primary key by prefix is one all the same.
  if (columns === null) return [];
  return [{ kind: 'add-key', columns, primary }];
}

/** Null where a part of the key is an expression or, as MySQL lets no primary key be, a prefix. */
function keyColumns(reader: TokenReader): string[] | null {
  const columns: string[] = [];
  let plain = true;
  if (!reader.skip('(')) return null;
  while (!reader.ended && !reader.skip(')')) {
    if (reader.skip(',') || reader.oneOf('ASC', 'DESC') !== null) continue;
    if (reader.word() === '(') {
      plain = false;
      reader.group();
    } else columns.push(reader.name());
  }
  return plain ? columns : null;
}

function readDrop(reader: TokenReader): readonly Operation[] {
  if (reader.skip('PRIMARY', 'KEY')) return [{ kind: 'drop-primary-key' }];
  if (reader.skip('FOREIGN', 'KEY') || reader.skip('CHECK')) return passed(reader);
  const index = reader.oneOf('INDEX', 'KEY', 'CONSTRAINT');
  if (index !== null) {
    reader.skip('IF', 'EXISTS');
    return reader.name().toUpperCase() === 'PRIMARY' ? [{ kind: 'drop-primary-key' }] : [{ kind: 'drop-index' }];
  }
  if (['SYSTEM', 'PERIOD'].includes(reader.word()) && ['VERSIONING', 'FOR'].includes(reader.word(1))) {
    reader.skipItem();
    return [{ kind: 'unknown', text: 'DROP SYSTEM VERSIONING' }];
  }
  skipColumnWords(reader, 'IF', 'EXISTS');
  const name = reader.name();
  reader.skipAny('RESTRICT', 'CASCADE');
  return [{ kind: 'drop', name }];
}

function readRename(reader: TokenReader, database: string): readonly Operation[] {
  if (reader.skip('COLUMN')) {
    const ifExists = reader.skip('IF', 'EXISTS');
    const from = reader.name();
    reader.skip('TO');
    return [{ kind: 'rename', from, to: reader.name(), ifExists }];
  }
  if (reader.oneOf('INDEX', 'KEY') !== null) return passed(reader);
  reader.skipAny('TO', 'AS', '=');
  return [{ kind: 'rename-table', to: reader.table(database) }];
}

function readAlter(reader: TokenReader): readonly Operation[] {
  if (['INDEX', 'KEY', 'CHECK', 'CONSTRAINT'].includes(reader.word())) return passed(reader);
  const ifExists = skipColumnWords(reader, 'IF', 'EXISTS');
  const name = reader.name();
  if (reader.skip('SET', 'DEFAULT')) return [{ kind: 'default', name, value: readDefault(reader), ifExists }];
  if (reader.skip('DROP', 'DEFAULT')) return [{ kind: 'default', name, value: null, ifExists }];
  return passed(reader);
}

function readConvert(reader: TokenReader): readonly Operation[] {
  if (!reader.skip('CONVERT', 'TO')) {
    reader.skipItem();
    return [{ kind: 'unknown', text: 'CONVERT' }];
  }
  const [charset] = readTableCharset(reader);
  return [{ kind: 'convert', charset: charset?.kind === 'charset' ? charset.charset : null }];
}

/** `[DEFAULT] CHARACTER SET [=] x [COLLATE [=] y]`, also as a table option of CREATE TABLE. */
export function readTableCharset(reader: TokenReader): readonly Operation[] {
  reader.skip('DEFAULT');
  let charset: string | null = null;
  if (reader.skip('CHARACTER') || reader.skip('CHARSET')) {
    reader.skipAny('SET', '=');
    const name = reader.name();
    charset = name.toUpperCase() === 'DEFAULT' ? null : charsetName(name);
  }
  reader.skip('DEFAULT');
  if (reader.skip('COLLATE')) {
    reader.skip('=');
    charset ??= charsetOf(reader.name());
  }
  return [{ kind: 'charset', charset }];
}

function readOther(reader: TokenReader): readonly Operation[] {
  const known = harmless.has(reader.word());
  const text = reader.word();
  // What is done about partitions comes last, and their names stand behind commas too.
  if (known && [text, reader.word(1)].includes('PARTITION')) {
    while (!reader.ended) reader.take();
    return [];
  }
  // Table options may follow each other without commas, and may be a character set; any other word ends what is understood.
  reader.take();
  while (!reader.ended && reader.word() !== ',' && !['CHARACTER', 'CHARSET', 'COLLATE'].includes(reader.word()))
    reader.group();
  return known ? [] : [{ kind: 'unknown', text }];
}

/** True where the condition came. */
function skipColumnWords(reader: TokenReader, ...condition: readonly string[]): boolean {
  reader.skip('COLUMN');
  return reader.skip(...condition);
}

function passed(reader: TokenReader): readonly Operation[] {
  reader.skipItem();
  return [];
}
