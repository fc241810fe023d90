import type { Column } from '../../../core/table.ts';
import { parseDeclaredType } from '../catalog/declared-type.ts';
import { charsetName, charsetOf, readType } from './column-type.ts';
import type { TokenReader } from './tokens.ts';

/** Stands in `Column.charset` until it is known what a text column without one of its own has: the table's, which no statement repeats. */
export const inherited = '';

/** Where ADD, MODIFY and CHANGE put a column; null: at the end, or where it is. */
export type ColumnPlace = 'first' | { readonly after: string } | null;

/** A column as a statement defines it. */
export interface Definition {
  readonly column: Column;
  readonly place: ColumnPlace;
  readonly key: 'primary' | 'unique' | null;
}

export interface Dialect {
  readonly flavour: 'mysql' | 'mariadb';
  /** `database.table`, for messages. */
  readonly where: string;
}

interface Parts {
  nullable: boolean;
  charset: string | null;
  default: string | null;
  generated: Column['generated'];
  autoIncrement: boolean;
  key: Definition['key'];
}

const texts = ['char', 'varchar', 'text', 'enum', 'set'];

/** Reads `name type attributes [FIRST | AFTER other]` up to the comma or bracket behind it. Errors: SOURCE_TYPE_UNSUPPORTED. */
export function readDefinition(reader: TokenReader, name: string, dialect: Dialect): Definition {
  const written = readType(reader);
  const parts: Parts = {
    nullable: !written.serial,
    charset: written.charset,
    default: null,
    generated: null,
    autoIncrement: written.serial,
    key: written.serial ? 'unique' : null,
  };
  let place: ColumnPlace = null;
  while (!reader.ended && reader.word() !== ',' && reader.word() !== ')') {
    if (reader.skip('FIRST')) place = 'first';
    else if (reader.skip('AFTER')) place = { after: reader.name() };
    else readAttribute(reader, parts);
  }
  if (parts.key === 'primary') parts.nullable = false;
  const json = dialect.flavour === 'mariadb' && written.declared === 'json';
  const type = parseDeclaredType(written.declared, `${dialect.where}.${name}`);
  const own = json ? 'utf8mb4' : texts.includes(type.kind) ? (parts.charset ?? inherited) : null;
  const { nullable, generated, autoIncrement, key } = parts;
  const column = { name, type, declared: written.declared, nullable, charset: own, generated, autoIncrement };
  return { column: { ...column, default: parts.default }, place, key };
}

function readAttribute(reader: TokenReader, parts: Parts): void {
  if (reader.skip('NOT', 'NULL')) parts.nullable = false;
  else if (reader.skip('NULL')) parts.nullable = true;
  else if (reader.skip('DEFAULT')) parts.default = readDefault(reader);
  else if (reader.skip('ON', 'UPDATE')) readDefault(reader);
  else if (reader.skip('AUTO_INCREMENT')) parts.autoIncrement = true;
  else if (reader.skip('PRIMARY')) {
    reader.skip('KEY');
    parts.key = 'primary';
  } else if (reader.skip('UNIQUE')) {
    reader.skip('KEY');
    parts.key ??= 'unique';
  } else if (reader.skip('KEY')) parts.key = 'primary';
  else if (reader.skip('CHARACTER', 'SET') || reader.skip('CHARSET')) parts.charset = charsetName(reader.name());
  else if (reader.skip('COLLATE')) {
    reader.skip('=');
    parts.charset ??= charsetOf(reader.name());
  } else if (reader.skip('AS')) {
    reader.group();
    parts.generated = 'virtual';
  } else if (reader.skip('STORED') || reader.skip('PERSISTENT')) parts.generated = 'stored';
  else if (reader.skip('SERIAL', 'DEFAULT', 'VALUE')) {
    Object.assign(parts, { nullable: false, autoIncrement: true, key: parts.key ?? 'unique' });
  } else reader.group();
}

/** The value as it stands: a literal, a function with its brackets, or an expression in brackets. NULL is none. */
export function readDefault(reader: TokenReader): string | null {
  // `_utf8mb4'a'` is a literal with its character set.
  if (/^_[A-Z0-9]+$/.test(reader.word()) && /^['"XB]/.test(reader.word(1))) reader.take();
  if (/^[XB]$/.test(reader.word()) && reader.word(1).startsWith("'")) return reader.take() + reader.take();
  if (['TRUE', 'FALSE'].includes(reader.word())) return reader.take().toUpperCase() === 'TRUE' ? '1' : '0';
  let text = reader.group();
  if (text === '-' || text === '+') text += reader.group();
  if (/^[-+]?\d*$/.test(text) && reader.skip('.')) text += `.${reader.group()}`;
  if (reader.word() === '(' && !text.startsWith('(')) text += reader.group();
  if (text.startsWith('"')) text = `'${text.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")}'`;
  return /^null$/i.test(text) ? null : text;
}
