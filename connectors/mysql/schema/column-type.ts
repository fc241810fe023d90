import type { TokenReader } from './tokens.ts';

/** A type as a statement writes it, in the words of information_schema, and what follows from the type alone. */
export interface WrittenType {
  /** `int(10) unsigned`, `enum('a','b')`. */
  readonly declared: string;
  /** The character set that stands with the type; null where none does. */
  readonly charset: string | null;
  /** What SERIAL stands for beside its type. */
  readonly serial: boolean;
}

/** Other names of types. Source: MySQL manual, "Using Data Types from Other Database Engines"; MariaDB, "Data Types". */
const synonyms: Readonly<Record<string, string>> = {
  integer: 'int',
  int1: 'tinyint',
  int2: 'smallint',
  int3: 'mediumint',
  int4: 'int',
  int8: 'bigint',
  middleint: 'mediumint',
  bool: 'tinyint(1)',
  boolean: 'tinyint(1)',
  dec: 'decimal',
  fixed: 'decimal',
  numeric: 'decimal',
  number: 'decimal',
  float4: 'float',
  float8: 'double',
  real: 'double',
  character: 'char',
  nchar: 'char',
  nvarchar: 'varchar',
  varcharacter: 'varchar',
  varchar2: 'varchar',
  raw: 'varbinary',
  clob: 'longtext',
  long: 'mediumtext',
  geomcollection: 'geometrycollection',
};

const binaryOf: Readonly<Record<string, string>> = {
  char: 'binary',
  varchar: 'varbinary',
  tinytext: 'tinyblob',
  text: 'blob',
  mediumtext: 'mediumblob',
  longtext: 'longblob',
};

/** Reads a type with its arguments and the attributes that belong to it. */
export function readType(reader: TokenReader): WrittenType {
  const written = reader.take().toLowerCase();
  if (written === 'serial') return { declared: 'bigint unsigned', charset: null, serial: true };
  let name = nameOf(written, reader);
  const args = reader.word() === '(' ? reader.group() : '';
  // Only here: what stands behind the arguments does not matter to FLOAT's precision, FLOAT(53) is a DOUBLE.
  if (name === 'float' && /^\(\s*\d+\s*\)$/.test(args) && Number(args.replaceAll(/\D/g, '')) > 24) name = 'double';
  const { charset, unsigned, zerofill, bytes } = attributes(reader, written.startsWith('n') ? 'utf8mb3' : null);
  if (bytes || charset === 'binary') name = binaryOf[name] ?? name;
  const size = /^(?:float|double)$/.test(name) && !args.includes(',') ? '' : spaceless(args);
  const declared = `${name}${size}${unsigned || zerofill ? ' unsigned' : ''}${zerofill ? ' zerofill' : ''}`;
  return { declared, charset: charset === 'binary' ? null : charset, serial: false };
}

/** Types of two words. */
function nameOf(written: string, reader: TokenReader): string {
  if (written === 'double') reader.skip('PRECISION');
  if (written === 'national') {
    const kind = reader.take().toLowerCase();
    return reader.skip('VARYING') || kind === 'varchar' ? 'varchar' : 'char';
  }
  if (['char', 'character', 'nchar'].includes(written) && reader.skip('VARYING')) return 'varchar';
  if (written === 'nchar' && reader.skip('VARCHAR')) return 'varchar';
  if (written === 'long' && (reader.skip('VARBINARY') || reader.skip('BYTE'))) return 'mediumblob';
  if (written === 'long' && !reader.skip('VARCHAR')) reader.skip('CHAR', 'VARYING');
  return synonyms[written] ?? written;
}

interface Attributes {
  readonly charset: string | null;
  readonly unsigned: boolean;
  readonly zerofill: boolean;
  readonly bytes: boolean;
}

function attributes(reader: TokenReader, national: string | null): Attributes {
  let charset = national;
  let [unsigned, zerofill, bytes] = [false, false, false];
  for (;;) {
    if (reader.skip('UNSIGNED')) unsigned = true;
    else if (reader.skip('ZEROFILL')) zerofill = true;
    else if (reader.skip('BYTE')) bytes = true;
    else if (reader.skip('ASCII')) charset = 'latin1';
    else if (reader.skip('UNICODE')) charset = 'ucs2';
    else if (reader.skip('CHARACTER', 'SET') || reader.skip('CHARSET')) charset = charsetName(reader.name());
    else if (!reader.skip('SIGNED') && !reader.skip('BINARY')) return { charset, unsigned, zerofill, bytes };
  }
}

/** As information_schema names it. */
export function charsetName(name: string): string {
  const lower = name.toLowerCase().replaceAll("'", '');
  return lower === 'utf8' ? 'utf8mb3' : lower;
}

/** The character set of a collation by its name; null where the name does not begin with one (MariaDB's uca1400 ones). */
export function charsetOf(collation: string): string | null {
  const name = collation.toLowerCase().replaceAll("'", '');
  if (name === 'binary' || name === 'default') return name === 'binary' ? 'binary' : null;
  return name.startsWith('uca1400') ? null : charsetName(name.split('_')[0] ?? '');
}

/** Blanks between arguments go, those in labels stay. */
function spaceless(args: string): string {
  return args.replaceAll(/('(?:[^'\\]|''|\\.)*')|"((?:[^"\\]|""|\\.)*)"|\s+/gs, (_, text?: string, quoted?: string) => {
    if (text !== undefined) return labelOf(text.slice(1, -1));
    return quoted === undefined ? '' : labelOf(quoted.replaceAll('""', '"').replaceAll("'", "''"));
  });
}

const escapes: Readonly<Record<string, string>> = { '0': '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\u001a' };

/** A label as information_schema writes it: without blanks at its end, and backslashes stand for themselves. */
function labelOf(text: string): string {
  const plain = text.replaceAll(/\\(.)/gs, (_, character: string) =>
    character === "'" ? "''" : (escapes[character] ?? character),
  );
  return `'${plain.trimEnd()}'`;
}
