import type { ForeignKey } from '../../../core/foreign-key.ts';
import type { TableSchema } from '../../../core/table.ts';
import { changesRows, type DeclaredKey } from './declared-keys.ts';
import { originOf } from '../schema/ddl.ts';
import type { Tables } from '../tables.ts';

/** Name of the token that holds the foreign keys at the stream's position; missing where there never were any. */
export const foreignKeysEntry = 'foreign-keys';

/** The foreign keys of captured tables as they are at the stream's place in the log. */
export class ForeignKeys {
  readonly #tables: Tables;
  #declared: readonly DeclaredKey[];
  #resolved: readonly ForeignKey[] = [];
  #resolvedAt = -1;
  readonly #leads = new Map<string, boolean>();

  constructor(tables: Tables, declared: readonly DeclaredKey[]) {
    this.#tables = tables;
    this.#declared = declared.filter(({ child }) => tables.captures(child.database, child.table));
  }

  get declared(): readonly DeclaredKey[] {
    return this.#declared;
  }

  /** True where that is another set of keys than before. */
  set(declared: readonly DeclaredKey[]): boolean {
    const kept = declared.filter(({ child }) => this.#tables.captures(child.database, child.table));
    if (JSON.stringify(kept) === JSON.stringify(this.#declared)) return false;
    this.#declared = kept;
    this.#resolvedAt = -1;
    return true;
  }

  /** Those that change rows, between tables that are followed; the same array for as long as nothing changes. */
  get all(): readonly ForeignKey[] {
    if (this.#resolvedAt !== this.#tables.version) this.#resolve();
    return this.#resolved;
  }

  /** Whether a change of the table's rows may change rows that refer to them. */
  leadFrom(origin: string): boolean {
    if (this.#declared.length === 0) return false;
    const { all } = this;
    let leads = this.#leads.get(origin);
    if (leads === undefined) this.#leads.set(origin, (leads = all.some(({ parent }) => parent.origin === origin)));
    return leads;
  }

  #resolve(): void {
    this.#resolvedAt = this.#tables.version;
    this.#leads.clear();
    this.#resolved = resolveKeys(this.#declared, (origin) => this.#tables.get(origin));
  }
}

/** The keys that change rows, with the tables that they are between; those of tables that are not known are left out. In the server's order: by name. */
export function resolveKeys(
  declared: readonly DeclaredKey[],
  table: (origin: string) => TableSchema | undefined,
): ForeignKey[] {
  return declared
    .flatMap((key): ForeignKey[] => {
      const [child, parent] = [table(originOf(key.child)), table(originOf(key.parent))];
      if (!changesRows(key) || child === undefined || parent === undefined) return [];
      const [columns, references] = [indexesOf(child, key.columns), indexesOf(parent, key.references)];
      if (columns.includes(-1) || references.includes(-1)) return [];
      const { name, onDelete, onUpdate } = key;
      return [{ name, child, columns, parent, references, onDelete, onUpdate }];
    })
    .toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

function indexesOf({ columns }: TableSchema, names: readonly string[]): number[] {
  return names.map((name) => columns.findIndex((column) => column.name.toLowerCase() === name.toLowerCase()));
}

function idOf({ name, child }: ForeignKey): string {
  return `${child.origin.slice(0, child.origin.indexOf('.'))}/${name}`;
}

/** The keys that a token holds. */
export function parseForeignKeys(token: string): readonly DeclaredKey[] {
  return JSON.parse(token) as readonly DeclaredKey[];
}

export function formatForeignKeys(declared: readonly DeclaredKey[]): string {
  return JSON.stringify(declared);
}
