import { LockstepError } from '../core/errors.ts';
import { tableSchema, type Column, type ColumnType, type TableSchema } from '../core/table.ts';

/** Runs a statement and gives its rows as arrays. */
type Query = (sql: string, values?: readonly unknown[]) => Promise<unknown[][]>;

/** Reads what information_schema says about the tables that match the patterns. */
export async function catalogTables(query: Query, patterns: readonly string[]): Promise<TableSchema[]> {
  const names = strings(
    await query(`SELECT table_schema, table_name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema')
      ORDER BY table_schema, table_name`),
  ).filter(([database, name]) => matches(patterns, `${database}.${name}`));
  const tables: TableSchema[] = [];
  for (const [database = '', name = ''] of names) tables.push(await readTable(query, database, name));
  return tables;
}

function matches(patterns: readonly string[], origin: string): boolean {
  let taken = false;
  for (const pattern of patterns) {
    const takesOut = pattern.startsWith('!');
    const parts = pattern.slice(takesOut ? 1 : 0).split('*');
    if (new RegExp(`^${parts.map((part) => RegExp.escape(part)).join('.*')}$`, 's').test(origin)) taken = !takesOut;
  }
  return taken;
}

async function readTable(query: Query, database: string, name: string): Promise<TableSchema> {
  const where = [database, name];
  const json = await jsonColumns(query, where);
  const columns = strings(
    await query(
      `SELECT column_name, column_type, is_nullable, IFNULL(character_set_name, ''), extra FROM information_schema.columns
        WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
      where,
    ),
  ).map((row) => toColumn(row, json, `${database}.${name}`));
  const keys = strings(
    await query(
      `SELECT index_name, column_name, nullable, IFNULL(sub_part, '') FROM information_schema.statistics
        WHERE table_schema = ? AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index`,
      where,
    ),
  );
  return tableSchema({ database, name, origin: `${database}.${name}`, columns, key: chooseKey(columns, keys) });
}

/** MariaDB keeps JSON as LONGTEXT with a check; MySQL has no column `table_name` there, and needs none. */
async function jsonColumns(query: Query, where: readonly unknown[]): Promise<ReadonlySet<string>> {
  const [[version] = []] = strings(await query('SELECT VERSION()'));
  if (!/mariadb/i.test(version ?? '')) return new Set();
  const clauses = strings(
    await query(
      'SELECT check_clause FROM information_schema.check_constraints WHERE constraint_schema = ? AND table_name = ?',
      where,
    ),
  );
  const names = clauses.map(([clause = '']) => /^\(?json_valid\(`(.+)`\)\)?$/is.exec(clause)?.[1]);
  return new Set(names.filter((name) => name !== undefined).map((name) => name.replaceAll('``', '`')));
}

function toColumn(row: readonly string[], json: ReadonlySet<string>, origin: string): Column {
  const [name = '', declared = '', nullable, charset = '', extra = ''] = row;
  return {
    name,
    type: json.has(name) ? { kind: 'json' } : declaredType(declared, `${origin}.${name}`),
    declared,
    nullable: nullable === 'YES',
    charset: charset === '' ? null : charset,
    generated: /virtual/i.test(extra) ? 'virtual' : /stored|persistent/i.test(extra) ? 'stored' : null,
    default: null,
    autoIncrement: /auto_increment/i.test(extra),
  };
}

/** The primary key, else the shortest unique key in which nothing can be NULL; of several, the first by name. */
function chooseKey(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  const keys = new Map<string, { usable: boolean; columns: number[] }>();
  for (const [index = '', column, nullable, part] of rows) {
    const key = keys.get(index) ?? { usable: true, columns: [] };
    keys.set(index, key);
    key.columns.push(columns.findIndex(({ name }) => name === column));
    key.usable &&= (nullable !== 'YES' && part === '') || index === 'PRIMARY';
  }
  const usable = [...keys.values()].filter((key) => key.usable && !key.columns.includes(-1));
  const shortest = usable.toSorted((a, b) => a.columns.length - b.columns.length)[0];
  return keys.get('PRIMARY')?.columns ?? shortest?.columns ?? [];
}

const BITS: Readonly<Record<string, 8 | 16 | 24 | 32>> = { tinyint: 8, smallint: 16, mediumint: 24, int: 32 };
const PLAIN = ['float', 'double', 'date', 'year', 'json', 'uuid', 'inet4', 'inet6'] as const;
const SIZED = ['char', 'varchar', 'binary', 'varbinary'] as const;
const TIMED = ['datetime', 'timestamp', 'time'] as const;
const LABELLED = ['enum', 'set'] as const;

/** A type as `information_schema.columns.column_type` prints it. Throws SOURCE_TYPE_UNSUPPORTED. */
function declaredType(declared: string, where: string): ColumnType {
  const [, word = '', inside = '', rest = ''] = /^(\w+)\s*(?:\((.*)\))?(.*)$/s.exec(declared.trim()) ?? [];
  const name = word.toLowerCase();
  const [first = '', second = '0'] = inside.split(',');
  const size = Number(first);
  const unsigned = /unsigned/i.test(rest);
  const bits = BITS[name];
  if (bits !== undefined) return { kind: 'int', bits, unsigned };
  if (name === 'bigint') return { kind: 'bigint', unsigned };
  if (name === 'decimal') return { kind: 'decimal', precision: size, scale: Number(second) };
  if (name === 'bit') return { kind: 'bit', length: size };
  if (name.endsWith('text')) return { kind: 'text' };
  if (name.endsWith('blob')) return { kind: 'blob' };
  if (name === 'vector') return { kind: 'vector', dimension: size };
  const plain = PLAIN.find((kind) => kind === name);
  if (plain !== undefined) return { kind: plain };
  const sized = SIZED.find((kind) => kind === name);
  if (sized !== undefined) return { kind: sized, length: size };
  const timed = TIMED.find((kind) => kind === name);
  if (timed !== undefined) return { kind: timed, digits: size };
  const labelled = LABELLED.find((kind) => kind === name);
  if (labelled !== undefined) return { kind: labelled, labels: labelsOf(inside) };
  if (/^(multi)?(point|linestring|polygon)$|^geom/.test(name)) return { kind: 'geometry', shape: name };
  throw new LockstepError('SOURCE_TYPE_UNSUPPORTED', `${where} has the type ${declared}, which cannot be compared`, {
    fix: 'leave the table out of the comparison, or report the type',
  });
}

function labelsOf(list: string): string[] {
  return [...list.matchAll(/'((?:[^']|'')*)'/g)].map(([, label = '']) => label.replaceAll("''", "'"));
}

function strings(rows: readonly unknown[][]): string[][] {
  return rows.map((row) => row.map(String));
}
