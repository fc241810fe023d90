import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LEVELS, type Level } from './levels.ts';

/** One line of the built-in registry's log. Records with the same key replace one another, as in a compacted topic. */
export interface StoredRecord {
  readonly key: string;
  readonly value: string;
}

export interface Version {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: string;
}

/**
 * What a log of records says. Several processes may append to one log: of two records that claim the same id or version the first one
 * counts, and whoever wrote the other sees that and tries again. Keys hold a digest, so that neither replaces the other.
 */
export class RegistryState {
  readonly #schemas = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  readonly #subjects = new Map<string, Version[]>();
  readonly #levels = new Map<string, Level>();
  #lastId = 0;

  constructor(records: readonly StoredRecord[]) {
    for (const record of records) this.#apply(record);
  }

  schema(id: number): string | null {
    return this.#schemas.get(id) ?? null;
  }

  subjects(): readonly string[] {
    return [...this.#subjects.keys()].toSorted();
  }

  /** A subject's versions, oldest first; empty for an unknown one. */
  versions(subject: string): readonly Version[] {
    return this.#subjects.get(subject) ?? [];
  }

  lookUp(subject: string, schema: string): Version | null {
    const id = this.#ids.get(digest(schema));
    return this.versions(subject).find((version) => version.id === id) ?? null;
  }

  /** Where an id is used. */
  uses(id: number): readonly Version[] {
    return [...this.#subjects.values()].flat().filter((version) => version.id === id);
  }

  /** The level set for a subject, or for all with null; null where none is set. */
  level(subject: string | null): Level | null {
    return this.#levels.get(subject ?? '') ?? null;
  }

  /** The record that would add a schema to a subject: with the id it has elsewhere, else the next one. */
  next(subject: string, schema: string): StoredRecord {
    const id = this.#ids.get(digest(schema)) ?? this.#lastId + 1;
    const version = (this.versions(subject).at(-1)?.version ?? 0) + 1;
    return {
      key: JSON.stringify({ keytype: 'SCHEMA', subject, id, version, digest: digest(schema) }),
      value: JSON.stringify({ keytype: 'SCHEMA', subject, version, id, schema }),
    };
  }

  #apply({ value }: StoredRecord): void {
    const record = storedJson.parse(JSON.parse(value));
    if (record.keytype === 'CONFIG') {
      this.#levels.set(record.subject ?? '', record.compatibilityLevel);
      return;
    }
    const { subject, version, id, schema } = record;
    const known = this.#ids.get(digest(schema));
    const versions = this.#subjects.get(subject) ?? [];
    if (known === undefined ? this.#schemas.has(id) : known !== id) return;
    if (versions.some((one) => one.version === version || one.id === id)) return;
    if (known === undefined) {
      this.#schemas.set(id, schema);
      this.#ids.set(digest(schema), id);
      this.#lastId = Math.max(this.#lastId, id);
    }
    this.#subjects.set(subject, [...versions, { subject, version, id, schema }]);
  }
}

/** The record that sets a level for a subject, or for all with null. */
export function levelRecord(subject: string | null, level: Level): StoredRecord {
  return {
    key: JSON.stringify({ keytype: 'CONFIG', subject }),
    value: JSON.stringify({ keytype: 'CONFIG', subject, compatibilityLevel: level }),
  };
}

const storedJson = z.discriminatedUnion('keytype', [
  z.object({
    keytype: z.literal('SCHEMA'),
    subject: z.string(),
    version: z.number(),
    id: z.number(),
    schema: z.string(),
  }),
  z.object({ keytype: z.literal('CONFIG'), subject: z.string().nullable(), compatibilityLevel: z.enum(LEVELS) }),
]);

/** Equal for schemas that differ in spacing or in the order of attributes only. */
function digest(schema: string): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(JSON.parse(schema))))
    .digest('hex');
}

function sorted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== 'object' || json === null) return json;
  return Object.entries(json)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, sorted(value)]);
}
