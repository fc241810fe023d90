import type { Level } from './levels.ts';

/** A schema registry as publishers and consumers use it. Subjects are `{topic}-key` and `{topic}-value`. */
export interface Registry {
  /**
   * The id of a schema (JSON text) under a subject; registers it where it is new, after a check of compatibility.
   * REGISTRY_REFUSED where it is incompatible, REGISTRY_UNREACHABLE where nothing answers.
   */
  register(subject: string, schemaJson: string, signal: AbortSignal): Promise<number>;
  /** The schema (JSON text) of an id. REGISTRY_REFUSED for an unknown one. */
  schema(id: number, signal: AbortSignal): Promise<string>;
  /** The newest schema of a subject; null for an unknown subject. */
  latest(subject: string, signal: AbortSignal): Promise<{ readonly id: number; readonly schema: string } | null>;
  /** What a schema may change against the ones before it in its subject. */
  setLevel(subject: string, level: Level, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
