import type { KeyAction } from '../../../core/foreign-key.ts';
import type { DeclaredKey } from './declared-keys.ts';
import type { NamedTable, Query } from '../schema/ddl.ts';
import { TokenReader } from '../schema/tokens.ts';

export interface WrittenKeys {
  readonly added: readonly DeclaredKey[];
  /** Names in small letters. */
  readonly dropped: ReadonlySet<string>;
  readonly understood: boolean;
}

/** Finds the foreign keys that a CREATE or ALTER TABLE adds and drops; all else in it is passed over. */
export function readWrittenKeys(
  named: NamedTable,
  mine: readonly DeclaredKey[],
  { database, statement }: Query,
): WrittenKeys {
  const reader = new TokenReader(statement);
  const added: DeclaredKey[] = [];
  const dropped = new Set<string>();
  let name = '';
  while (!reader.ended) {
    if (reader.skip('DROP', 'FOREIGN', 'KEY') || reader.skip('DROP', 'CONSTRAINT')) {
      reader.skip('IF', 'EXISTS');
      dropped.add(reader.name().toLowerCase());
    } else if (reader.skip('CONSTRAINT')) {
      reader.skip('IF', 'NOT', 'EXISTS');
      name = ['FOREIGN', 'PRIMARY', 'UNIQUE', 'CHECK'].includes(reader.word()) ? '' : reader.name();
    } else if (reader.skip('FOREIGN', 'KEY')) {
      const key = readKey(reader, named, database);
      if (key === null) return { added, dropped, understood: false };
      added.push({ ...key, name: name === '' ? nextName(named, [...mine, ...added]) : name });
      name = '';
    } else if (reader.word() === 'REFERENCES') {
      // At a column: which servers heed it depends on their versions.
      return { added, dropped, understood: false };
    } else reader.take();
  }
  return { added, dropped, understood: true };
}

/** What follows FOREIGN KEY. */
function readKey(reader: TokenReader, child: NamedTable, database: string): Omit<DeclaredKey, 'name'> | null {
  reader.skip('IF', 'NOT', 'EXISTS');
  if (reader.word() !== '(') reader.take();
  const columns = readNames(reader);
  if (!reader.skip('REFERENCES')) return null;
  const parent = reader.table(database);
  const references = readNames(reader);
  const rules = { DELETE: '', UPDATE: '' };
  if (reader.skip('MATCH')) reader.take();
  while (reader.skip('ON')) {
    const event = reader.oneOf('DELETE', 'UPDATE');
    if (event !== 'DELETE' && event !== 'UPDATE') return null;
    const first = reader.take().toUpperCase();
    rules[event] = first === 'SET' || first === 'NO' ? `${first} ${reader.take().toUpperCase()}` : first;
  }
  if (columns.length === 0 || columns.length !== references.length) return null;
  const [onDelete, onUpdate] = [actionOf(rules.DELETE), actionOf(rules.UPDATE)];
  return { child, columns, parent, references, onDelete, onUpdate };
}

function readNames(reader: TokenReader): string[] {
  const names: string[] = [];
  if (!reader.skip('(')) return names;
  while (!reader.ended && !reader.skip(')')) if (!reader.skip(',')) names.push(reader.name());
  return names;
}

/** The name that the servers give a key without one. Source: MySQL manual, "FOREIGN KEY Constraints". */
function nextName({ table }: NamedTable, keys: readonly DeclaredKey[]): string {
  const prefix = `${table}_ibfk_`;
  const numbers = keys.map(({ name }) => (name.startsWith(prefix) ? Number(name.slice(prefix.length)) : 0));
  return `${prefix}${String(Math.max(0, ...numbers.filter(Number.isInteger)) + 1)}`;
}

/** What a rule comes to; InnoDB refuses SET DEFAULT. */
export function actionOf(rule: string): KeyAction {
  if (rule === 'CASCADE') return 'cascade';
  return rule === 'SET NULL' ? 'set-null' : 'none';
}
