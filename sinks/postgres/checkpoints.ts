import type { Checkpoint } from '../../core/contracts.ts';
import { MOVED_CONSTRAINT } from './errors.ts';
import type { Outcome } from './session.ts';
import { quoteName, quoteText } from './sql.ts';

/** Whose entries: the name of our schema, the pipeline and the target. */
export interface Owner {
  readonly schema: string;
  readonly pipeline: string;
  readonly target: string;
}

interface Known {
  readonly version: number;
  /** When this process learnt it, in steps of `#clock`. */
  readonly since: number;
}

/** The versions this process knows of the entries: what it loaded or wrote last, for the compare-and-set (G8). */
export class Versions {
  readonly #known = new Map<string, Known>();
  #clock = 0;

  of(name: string): number {
    return this.#known.get(name)?.version ?? 0;
  }

  /** Call before reading entries; its result goes to `loaded`. */
  now(): number {
    return this.#clock;
  }

  /** Takes in what was read; what this process wrote while it was reading is newer and stays. */
  loaded(prefix: string, entries: ReadonlyMap<string, number>, startedAt: number): void {
    for (const [name, { since }] of this.#known) {
      if (name.startsWith(prefix) && since <= startedAt) this.#known.delete(name);
    }
    for (const [name, version] of entries) {
      if (!this.#known.has(name)) this.#known.set(name, { version, since: startedAt });
    }
  }

  /** Takes in a checkpoint that is durable. */
  moved(checkpoint: Checkpoint): void {
    this.#clock += 1;
    const next = new Map([...checkpoint.set.keys()].map((name) => [name, this.of(name) + 1]));
    for (const prefix of checkpoint.drop) {
      for (const name of this.#known.keys()) if (name.startsWith(prefix)) this.#known.delete(name);
    }
    for (const [name, version] of next) this.#known.set(name, { version, since: this.#clock });
  }
}

function tableOf(owner: Owner): string {
  return `${quoteName(owner.schema)}.checkpoints`;
}

/** The condition for rows of ours. */
export function mine(owner: Owner): string {
  return `pipeline = ${quoteText(owner.pipeline)} AND target = ${quoteText(owner.target)}`;
}

/** Creates their table. The constraint is what a lost compare-and-set runs into. */
export function createCheckpoints(owner: Owner): string {
  return `CREATE TABLE IF NOT EXISTS ${tableOf(owner)} (
  pipeline text NOT NULL, target text NOT NULL, name text NOT NULL, token text NOT NULL, version bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, target, name),
  CONSTRAINT ${MOVED_CONSTRAINT} CHECK (version > 0)
)`;
}

export function selectCheckpoints(owner: Owner, prefix: string): string {
  return `SELECT name, token, version FROM ${tableOf(owner)} WHERE ${mine(owner)} AND starts_with(name, ${quoteText(prefix)})`;
}

/** A transaction that waits for the disk, and so for all before it. It must write to do so. */
export function waitForDisk(owner: Owner): string {
  const table = tableOf(owner);
  return `BEGIN; SET LOCAL synchronous_commit = on;
UPDATE ${table} SET token = token WHERE ${mine(owner)} AND name = (SELECT min(name) FROM ${table} WHERE ${mine(owner)}); COMMIT`;
}

/** The rows of `selectCheckpoints`: tokens and versions by name. */
export function readCheckpoints(outcome: Outcome | undefined): {
  tokens: Map<string, string>;
  versions: Map<string, number>;
} {
  const tokens = new Map<string, string>();
  const versions = new Map<string, number>();
  for (const [name, token, version] of outcome?.rows ?? []) {
    if (typeof name !== 'string') continue;
    tokens.set(name, token ?? '');
    versions.set(name, Number(version));
  }
  return { tokens, versions };
}

/**
 * Statements that move a checkpoint by compare-and-set. Where one entry is not as this process knows it, the last statement
 * inserts a row that the table refuses, so that the whole transaction fails in the same round trip.
 */
export function moveCheckpoint(owner: Owner, checkpoint: Checkpoint, versions: Versions): string[] {
  const { set, drop } = checkpoint;
  const statements: string[] = [];
  const known = [...set.keys()].filter((name) => versions.of(name) > 0);
  if (drop.length > 0) {
    const dropped = drop.map((prefix) => `starts_with(name, ${quoteText(prefix)})`).join(' OR ');
    const kept = known.length === 0 ? '' : ` AND name NOT IN (${known.map(quoteText).join(', ')})`;
    statements.push(`DELETE FROM ${tableOf(owner)} WHERE ${mine(owner)} AND (${dropped})${kept}`);
  }
  if (set.size > 0) statements.push(setEntries(owner, set, versions));
  return statements;
}

function setEntries(owner: Owner, set: Checkpoint['set'], versions: Versions): string {
  const [table, pipeline, target] = [tableOf(owner), quoteText(owner.pipeline), quoteText(owner.target)];
  const entries = [...set].map(
    ([name, token]) => `(${quoteText(name)}, ${quoteText(token)}, ${String(versions.of(name))}::bigint)`,
  );
  return `WITH entry(name, token, version) AS (VALUES ${entries.join(', ')}),
moved AS (
  UPDATE ${table} c SET token = e.token, version = e.version + 1, updated_at = now() FROM entry e
  WHERE c.pipeline = ${pipeline} AND c.target = ${target} AND c.name = e.name AND c.version = e.version RETURNING 1),
added AS (
  INSERT INTO ${table} (pipeline, target, name, token, version)
  SELECT ${pipeline}, ${target}, name, token, 1 FROM entry WHERE version = 0 ON CONFLICT DO NOTHING RETURNING 1)
INSERT INTO ${table} (pipeline, target, name, token, version) SELECT ${pipeline}, ${target}, '', '', 0
WHERE (SELECT count(*) FROM moved) + (SELECT count(*) FROM added) <> ${String(set.size)}`;
}

/** Names of the entries by which lanes of the stream are a process's. They are ours alone. */
export const LANES = 'lanes/';

const laneEntry = (lane: string): string => quoteText(`${LANES}${lane}/`);

/**
 * Makes a lane this process's and gives the version that says so. Waits for every transaction that holds it for the process before (see `ownedBy`),
 * and fails those that begin later.
 */
export function takeOver(owner: Owner, lane: string): string {
  return `INSERT INTO ${tableOf(owner)} AS c (pipeline, target, name, token, version)
VALUES (${quoteText(owner.pipeline)}, ${quoteText(owner.target)}, ${laneEntry(lane)}, '', 1)
ON CONFLICT (pipeline, target, name) DO UPDATE SET version = c.version + 1, updated_at = now() RETURNING version`;
}

/** Holds a lane to the end of the transaction; fails as a lost compare-and-set does where it is another process's by now (G8). */
export function ownedBy(owner: Owner, lane: string, version: number): string {
  return `WITH held AS (SELECT 1 FROM ${tableOf(owner)} WHERE ${mine(owner)} AND name = ${laneEntry(lane)} AND version = ${String(version)} FOR SHARE)
INSERT INTO ${tableOf(owner)} (pipeline, target, name, token, version)
SELECT ${quoteText(owner.pipeline)}, ${quoteText(owner.target)}, '', '', 0 WHERE NOT EXISTS (SELECT 1 FROM held)`;
}
