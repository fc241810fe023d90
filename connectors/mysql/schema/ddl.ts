import { identifier, tokenize } from './tokens.ts';
import { unloggedRows, type UnloggedRows } from './unlogged-rows.ts';

/** A table named in a statement; `database` is the session's where the statement names none. */
export interface NamedTable {
  readonly database: string;
  readonly table: string;
}

/** A table's name as the source has it: `database.table`. */
export function originOf({ database, table }: NamedTable): string {
  return `${database}.${table}`;
}

/** The table that `database.table` names at the source. */
export function namedOf(origin: string): NamedTable {
  const dot = origin.indexOf('.');
  return { database: origin.slice(0, dot), table: origin.slice(dot + 1) };
}

/** A statement and the session's database. */
export interface Query {
  readonly database: string;
  readonly statement: string;
}

/**
 * What a QUERY event's statement is to us. `tables` are those whose shape or existence it changes, or, `unlogged`, whose rows it
 * adds or removes without logging them, as when a partition is dropped.
 */
export type Statement =
  | {
      readonly kind:
        | 'begin'
        | 'commit'
        | 'rollback'
        | 'savepoint'
        | 'rollback-to'
        | 'xa'
        | 'rows'
        | 'nothing'
        | 'unknown';
    }
  | {
      readonly kind: 'truncate' | 'create' | 'replace' | 'alter' | 'drop' | 'rename' | 'index';
      readonly tables: readonly NamedTable[];
    }
  | { readonly kind: 'unlogged'; readonly tables: readonly NamedTable[]; readonly rows: UnloggedRows }
  | { readonly kind: 'drop-database'; readonly database: string };

/** The renames of a RENAME TABLE, whose tables are `from to from to …`, in the order in which the server does them. */
export function* renamesIn(tables: readonly NamedTable[]): Generator<{ from: NamedTable; to: NamedTable }> {
  for (let i = 0; i + 1 < tables.length; i += 2) {
    const [from, to] = [tables[i], tables[i + 1]];
    if (from !== undefined && to !== undefined) yield { from, to };
  }
}

/** Statements that never touch the shape or the rows of a table we follow. */
const harmless = new Set([
  'GRANT',
  'REVOKE',
  'SET',
  'FLUSH',
  'ANALYZE',
  'OPTIMIZE',
  'REPAIR',
  'CHECK',
  'CHECKSUM',
  'USE',
  'COMMENT',
  'INSTALL',
  'UNINSTALL',
  'RESET',
  'SIGNAL',
  'DO',
  'KILL',
  'SHUTDOWN',
  'LOCK',
  'UNLOCK',
  'BINLOG',
  'CALL',
  'DELIMITER',
  'PURGE',
  'CHANGE',
  'START',
  'HANDLER',
  'IMPORT',
  'CACHE',
  'SHOW',
]);

/** By far the most frequent statement. */
const begin: Statement = { kind: 'begin' };

/** Reads a statement no further than needed to know its kind and tables. Never fails: what is not understood is `unknown`. */
export function classify(statement: string, database: string): Statement {
  if (statement === 'BEGIN') return begin;
  const tokens = tokenize(statement).map(({ text }) => text);
  const first = tokens[0]?.toUpperCase() ?? '';
  const second = tokens[1]?.toUpperCase() ?? '';
  switch (first) {
    case '':
      return { kind: 'nothing' };
    case 'BEGIN':
      return { kind: 'begin' };
    case 'COMMIT':
      return { kind: 'commit' };
    case 'ROLLBACK':
      return { kind: tokens.slice(1, 3).some((token) => token.toUpperCase() === 'TO') ? 'rollback-to' : 'rollback' };
    case 'SAVEPOINT':
    case 'RELEASE':
      return { kind: 'savepoint' };
    case 'XA':
      return { kind: 'xa' };
    case 'INSERT':
    case 'UPDATE':
    case 'DELETE':
    case 'REPLACE':
    case 'LOAD':
    case 'SELECT':
    case 'WITH':
      return { kind: 'rows' };
    case 'TRUNCATE':
      return { kind: 'truncate', tables: tableNames(tokens, second === 'TABLE' ? 2 : 1, database).tables };
    case 'RENAME':
      return second === 'TABLE' || second === 'TABLES'
        ? { kind: 'rename', tables: renamed(tokens, database) }
        : { kind: 'nothing' };
    case 'CREATE':
    case 'ALTER':
    case 'DROP':
      return definition(first, tokens, database, statement);
    default:
      return { kind: harmless.has(first) ? 'nothing' : 'unknown' };
  }
}

const objects = new Set([
  'TABLE',
  'TABLES',
  'INDEX',
  'DATABASE',
  'SCHEMA',
  'VIEW',
  'TRIGGER',
  'PROCEDURE',
  'FUNCTION',
  'EVENT',
  'USER',
  'ROLE',
  'SERVER',
  'SEQUENCE',
  'TABLESPACE',
  'UNDO',
  'LOGFILE',
  'PACKAGE',
  'SPATIAL',
  'RESOURCE',
  'INSTANCE',
  'LIBRARY',
]);

/** CREATE, ALTER, DROP: what kind of object comes first among words such as OR REPLACE, UNIQUE, DEFINER=…, TEMPORARY. */
function definition(
  verb: 'CREATE' | 'ALTER' | 'DROP',
  tokens: readonly string[],
  database: string,
  statement: string,
): Statement {
  const at = tokens.findIndex((token, i) => i > 0 && objects.has(token.toUpperCase()));
  const object = at < 0 ? '' : (tokens[at]?.toUpperCase() ?? '');
  const before = tokens.slice(1, Math.max(1, at)).map((token) => token.toUpperCase());
  if ((object === 'DATABASE' || object === 'SCHEMA') && verb === 'DROP') {
    return { kind: 'drop-database', database: identifier(tokens[skipIfExists(tokens, at + 1)] ?? '') };
  }
  const isIndex = object === 'INDEX' || (object === 'SPATIAL' && tokens[at + 1]?.toUpperCase() === 'INDEX');
  if (isIndex && verb !== 'ALTER') {
    const on = tokens.findIndex((token) => token.toUpperCase() === 'ON');
    // The columns of one that is dropped may have been what tells the table's rows apart.
    return {
      kind: verb === 'DROP' ? 'alter' : 'index',
      tables: on < 0 ? [] : tableNames(tokens, on + 1, database).tables,
    };
  }
  if ((object !== 'TABLE' && object !== 'TABLES') || before.includes('TEMPORARY'))
    return { kind: object === '' ? 'unknown' : 'nothing' };
  const { tables } = tableNames(tokens, skipIfExists(tokens, at + 1), database, verb === 'DROP');
  if (verb === 'CREATE') return { kind: before.includes('REPLACE') ? 'replace' : 'create', tables };
  if (verb === 'DROP') return { kind: 'drop', tables };
  const rows = unloggedRows(statement, database);
  if (rows !== null) return { kind: 'unlogged', tables: allOf(rows), rows };
  return tokens.some((token, i) => token.toUpperCase() === 'RENAME' && isTableRename(tokens[i + 1]))
    ? { kind: 'rename', tables: [...tables, ...renameTargets(tokens, database)] }
    : { kind: 'alter', tables };
}

function allOf({ changed, emptied, made, gone }: UnloggedRows): NamedTable[] {
  return [...changed, ...emptied, made, gone].filter((table) => table !== null);
}

/** ALTER TABLE … RENAME [TO|AS] name, but not RENAME COLUMN, INDEX, KEY. */
function isTableRename(next: string | undefined): boolean {
  return next !== undefined && !['COLUMN', 'INDEX', 'KEY'].includes(next.toUpperCase());
}

function renameTargets(tokens: readonly string[], database: string): readonly NamedTable[] {
  const at = tokens.findIndex((token, i) => token.toUpperCase() === 'RENAME' && isTableRename(tokens[i + 1])) + 1;
  const name = ['TO', 'AS', '='].includes(tokens[at]?.toUpperCase() ?? '') ? at + 1 : at;
  return tableNames(tokens, name, database).tables;
}

function renamed(tokens: readonly string[], database: string): NamedTable[] {
  const found: NamedTable[] = [];
  let at = skipIfExists(tokens, 2);
  while (at < tokens.length) {
    const { tables, next } = tableNames(tokens, at, database);
    found.push(...tables);
    at = next;
    while (at < tokens.length && !(tokens[at] === ',' || tokens[at]?.toUpperCase() === 'TO')) at += 1;
    at += 1;
  }
  return found;
}

function skipIfExists(tokens: readonly string[], at: number): number {
  if (tokens[at]?.toUpperCase() !== 'IF') return at;
  return tokens[at + 1]?.toUpperCase() === 'NOT' ? at + 3 : at + 2;
}

/** `a`, `db.a`, and with `list` also `a, b`. */
function tableNames(
  tokens: readonly string[],
  start: number,
  database: string,
  list = false,
): { tables: NamedTable[]; next: number } {
  const tables: NamedTable[] = [];
  let at = start;
  for (;;) {
    const name = tokens[at];
    if (name === undefined) break;
    if (tokens[at + 1] === '.') {
      tables.push({ database: identifier(name), table: identifier(tokens[at + 2] ?? '') });
      at += 3;
    } else {
      tables.push({ database, table: identifier(name) });
      at += 1;
    }
    if (!list || tokens[at] !== ',') break;
    at += 1;
  }
  return { tables, next: at };
}
