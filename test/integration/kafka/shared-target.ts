import { DatabaseSync } from 'node:sqlite';
import type { Batch, Change, Lane, Target } from '../../../core/contracts.ts';
import { LockstepError, unreachable } from '../../../core/errors.ts';
import { sleep } from '../../../core/signals.ts';
import { qualifiedName } from '../../../core/table.ts';
import { valuesOf } from '../../../core/row.ts';
import { isRowChange } from '../../../core/transform.ts';

/** One change as the shared target keeps it. */
export interface Kept {
  readonly process: number;
  readonly lane: string;
  readonly kind: Change['kind'];
  readonly table: string;
  /** The value of the row's first column, the marker's token or the statement. */
  readonly key: string;
  readonly row: string;
}

/**
 * A target that several processes share: a file that keeps every change in the order in which it was committed, with the entries of the
 * checkpoints beside it, moved by compare-and-set in the same transaction.
 */
export class SharedTarget implements Target {
  readonly #database: DatabaseSync;
  readonly #versions = new Map<string, number>();
  readonly #slowMs: number;

  constructor(file: string, slowMs = 0) {
    this.#slowMs = slowMs;
    this.#database = new DatabaseSync(file, { timeout: 10_000 });
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS change (n INTEGER PRIMARY KEY, process INT, lane TEXT, kind TEXT, name TEXT, key TEXT, row TEXT);
      CREATE TABLE IF NOT EXISTS entry (name TEXT PRIMARY KEY, token TEXT NOT NULL, version INT NOT NULL)`);
  }

  async prepare(): Promise<void> {}

  async load(prefix: string): Promise<ReadonlyMap<string, string>> {
    const tokens = new Map<string, string>();
    for (const name of this.#versions.keys()) if (name.startsWith(prefix)) this.#versions.delete(name);
    for (const { name, token, version } of this.#database.prepare('SELECT * FROM entry').all()) {
      if (!String(name).startsWith(prefix)) continue;
      tokens.set(String(name), String(token));
      this.#versions.set(String(name), Number(version));
    }
    return tokens;
  }

  async apply(lane: Pick<Lane, 'name'>, batch: Batch, signal: AbortSignal): Promise<void> {
    if (this.#slowMs > 0) await sleep(this.#slowMs, signal);
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      this.#write(lane, batch);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
    for (const name of batch.checkpoint?.set.keys() ?? []) {
      this.#versions.set(name, (this.#versions.get(name) ?? 0) + 1);
    }
  }

  /** Everything in the order of its commits. */
  changes(): Kept[] {
    const rows = this.#database.prepare('SELECT process, lane, kind, name, key, row FROM change ORDER BY n').all();
    return rows.map(({ process, lane, kind, name, key, row }) => ({
      process: Number(process),
      lane: String(lane),
      kind: kindOf(String(kind)),
      table: String(name),
      key: String(key),
      row: String(row),
    }));
  }

  /** Does something while nobody is in the middle of a write: whoever is frozen there would keep all others out. */
  async betweenWrites(work: () => Promise<void>): Promise<void> {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      await work();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #write(lane: Pick<Lane, 'name'>, { changes, checkpoint }: Batch): void {
    const insert = this.#database.prepare(
      'INSERT INTO change (process, lane, kind, name, key, row) VALUES (?, ?, ?, ?, ?, ?)',
    );
    for (const change of changes) {
      const { table, key, row } = describe(change);
      insert.run(process.pid, lane.name, change.kind, table, key, row);
    }
    for (const prefix of checkpoint?.drop ?? []) {
      this.#database.prepare('DELETE FROM entry WHERE substr(name, 1, length(?)) = ?').run(prefix, prefix);
    }
    for (const [name, token] of checkpoint?.set ?? []) this.#move(name, token);
  }

  #move(name: string, token: string): void {
    const known = this.#versions.get(name) ?? 0;
    const moved =
      known === 0
        ? this.#database.prepare('INSERT OR IGNORE INTO entry VALUES (?, ?, 1)').run(name, token)
        : this.#database
            .prepare('UPDATE entry SET token = ?, version = version + 1 WHERE name = ? AND version = ?')
            .run(token, name, known);
    if (moved.changes !== 1) throw new LockstepError('CHECKPOINT_MOVED', `${name} was moved by another process`);
  }
}

function describe(change: Change): { table: string; key: string; row: string } {
  if (isRowChange(change)) {
    const row = valuesOf(change.after ?? change.before);
    return { table: qualifiedName(change.table), key: String(row[0]), row: JSON.stringify(row, plain) };
  }
  switch (change.kind) {
    case 'marker':
      return { table: '', key: change.token, row: '' };
    case 'truncate':
    case 'cascade':
      return { table: qualifiedName(change.table), key: '', row: '' };
    case 'schema': {
      const table = change.after ?? change.before;
      return { table: table === null ? '' : qualifiedName(table), key: change.statement, row: '' };
    }
    default:
      return unreachable(change);
  }
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function kindOf(text: string): Change['kind'] {
  const kinds: readonly Change['kind'][] = [
    'read',
    'insert',
    'update',
    'delete',
    'truncate',
    'schema',
    'marker',
    'cascade',
  ];
  const kind = kinds.find((kind) => kind === text);
  if (kind === undefined) throw new TypeError(text);
  return kind;
}
