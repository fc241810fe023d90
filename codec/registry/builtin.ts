import { LockstepError } from '../../core/errors.ts';
import { untilAborted } from '../../core/signals.ts';
import { incompatibilities, schemaProblem } from './compatibility.ts';
import type { Level } from './levels.ts';
import type { Registry } from './registry.ts';
import { levelRecord, RegistryState, type StoredRecord, type Version } from './state.ts';

export type { StoredRecord } from './state.ts';

/** Where the built-in registry's records live: a log, of whose records with one key the last must stay. */
export interface RegistryStore {
  /** All records that were durable when the call was made, in the order in which they were appended. */
  load(signal: AbortSignal): Promise<readonly StoredRecord[]>;
  /** Resolves once the record is durable. */
  append(record: StoredRecord, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What became of a schema that was to be registered. */
export type Registration =
  | { readonly outcome: 'registered'; readonly id: number }
  | { readonly outcome: 'invalid'; readonly problem: string }
  | { readonly outcome: 'incompatible'; readonly problems: readonly string[] };

/** Where no level is set. */
export const DEFAULT_LEVEL: Level = 'BACKWARD';

/** Opens the registry that is kept in `store`. Several processes may have the same store open. */
export async function builtInRegistry(store: RegistryStore, signal: AbortSignal): Promise<BuiltInRegistry> {
  const registry = new BuiltInRegistry(store);
  await registry.refresh(signal);
  return registry;
}

/** A small schema registry of our own: Avro, ids and versions as Confluent's, compatibility checked before a schema is taken. */
export class BuiltInRegistry implements Registry {
  readonly #store: RegistryStore;
  #state = new RegistryState([]);
  #count = 0;
  #newest: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: RegistryStore) {
    this.#store = store;
  }

  /** What was known at the last refresh. */
  get state(): RegistryState {
    return this.#state;
  }

  /** Reads what other processes have added. */
  async refresh(signal: AbortSignal): Promise<RegistryState> {
    const records = await this.#store.load(signal);
    if (records.length !== this.#count || records.at(-1)?.value !== this.#newest) {
      this.#state = new RegistryState(records);
      this.#count = records.length;
      this.#newest = records.at(-1)?.value;
    }
    return this.#state;
  }

  /** Registers a schema, or says why not. The same schema again gives the same id and changes nothing. */
  tryRegister(subject: string, schema: string, signal: AbortSignal): Promise<Registration> {
    const problem = schemaProblem(schema);
    if (problem !== null) return Promise.resolve({ outcome: 'invalid', problem });
    return this.#inTurn(() => this.#register(subject, schema, signal), signal);
  }

  /** `null` for all subjects that have no level of their own. */
  setLevel(subject: string | null, level: Level, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if ((await this.refresh(signal)).level(subject) === level) return;
      await this.#store.append(levelRecord(subject, level), signal);
      await this.refresh(signal);
    }, signal);
  }

  /** Why a schema may not follow the given versions of its subject at the subject's level. */
  problems(subject: string, schema: string, older: readonly Version[]): readonly string[] {
    const level = this.#state.level(subject) ?? this.#state.level(null) ?? DEFAULT_LEVEL;
    return incompatibilities(
      schema,
      older.map((version) => version.schema),
      level,
    );
  }

  async register(subject: string, schemaJson: string, signal: AbortSignal): Promise<number> {
    const result = await this.tryRegister(subject, schemaJson, signal);
    if (result.outcome === 'registered') return result.id;
    const why = result.outcome === 'invalid' ? result.problem : result.problems.join('; ');
    throw new LockstepError(
      'REGISTRY_REFUSED',
      `the built-in schema registry refused a new schema for ${subject}: ${why}`,
      {
        fix: 'if its consumers can live with the change: set via.compatibility to NONE and start again; else undo the change at the source',
      },
    );
  }

  async schema(id: number, signal: AbortSignal): Promise<string> {
    const schema = this.#state.schema(id) ?? (await this.refresh(signal)).schema(id);
    if (schema !== null) return schema;
    throw new LockstepError('REGISTRY_REFUSED', `the built-in schema registry has no schema with id ${id}`, {
      fix: 'the message was written with another registry: set via.schemaRegistry to that one',
    });
  }

  async latest(subject: string, signal: AbortSignal): Promise<Version | null> {
    return (await this.refresh(signal)).versions(subject).at(-1) ?? null;
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #register(subject: string, schema: string, signal: AbortSignal): Promise<Registration> {
    for (;;) {
      const state = await this.refresh(signal);
      const known = state.lookUp(subject, schema);
      if (known !== null) return { outcome: 'registered', id: known.id };
      const problems = this.problems(subject, schema, state.versions(subject));
      if (problems.length > 0) return { outcome: 'incompatible', problems };
      // Another process may append at the same moment: then the next look does not find ours, and it is tried again.
      await this.#store.append(state.next(subject, schema), signal);
    }
  }

  /** One write after another. */
  #inTurn<T>(write: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const turn = this.#last.then(write, write);
    this.#last = turn.catch(() => undefined);
    return untilAborted(signal, turn);
  }
}
