import type { Checkpoint } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { requestEntries } from '../../core/request.ts';
import { Turns } from '../../core/signals.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { readToEnd } from '../../codec/kafka/log.ts';

interface Entry {
  readonly token: string;
  /** Counts the entry's moves. */
  readonly version: number;
}

/** A record for the checkpoint topic; a null value removes the entry. */
export interface CheckpointRecord {
  readonly key: string;
  readonly value: string | null;
}

/** The key of the record that names who publishes now; entries are keyed by their name behind `/`. Requests are the only ones that others write. */
const OWNER_KEY = 'owner';

/**
 * The checkpoint topic read into memory: key `/` and the entry's name, value JSON {token, version}. Only the owner writes, in the
 * transaction of the rows, so what it wrote itself need not be read back.
 */
export class CheckpointLog {
  readonly #topic: string;
  readonly #entries = new Map<string, Entry>();
  #owner: string | null = null;
  #offset = 0;
  #owned = false;
  readonly #turns = new Turns();

  constructor(topic: string) {
    this.#topic = topic;
  }

  /** The owner as of the last `catchUp`. */
  get owner(): string | null {
    return this.#owner;
  }

  /** Reads what was committed since the last time. */
  async catchUp(cluster: Cluster, signal: AbortSignal): Promise<void> {
    const note = (record: KafkaRecord): void => this.#note(record);
    await this.#turns.take(async () => {
      this.#offset = await readToEnd(cluster, this.#topic, this.#offset, note, signal);
    });
  }

  /** From now on this process alone writes the entries: what it wrote stands, though the topic may show it some milliseconds later. */
  own(): void {
    this.#owned = true;
  }

  entries(prefix: string): Map<string, string> {
    const found = new Map<string, string>();
    for (const [name, { token }] of this.#entries) if (name.startsWith(prefix)) found.set(name, token);
    return found;
  }

  /** What must be written to move to a checkpoint. */
  records({ set, drop }: Checkpoint): CheckpointRecord[] {
    const records: CheckpointRecord[] = [];
    for (const name of this.#entries.keys()) {
      if (!set.has(name) && drop.some((prefix) => name.startsWith(prefix)))
        records.push({ key: `/${name}`, value: null });
    }
    for (const [name, token] of set) {
      const version = (this.#entries.get(name)?.version ?? 0) + 1;
      records.push({ key: `/${name}`, value: JSON.stringify({ token, version } satisfies Entry) });
    }
    return records;
  }

  /** Takes note of what has been committed. */
  moved(records: readonly CheckpointRecord[]): void {
    for (const { key, value } of records) this.#move(key.slice(1), value);
  }

  #note({ key, value }: KafkaRecord): void {
    const name = key?.toString() ?? '';
    if (name === OWNER_KEY) this.#owner = value?.toString() ?? null;
    else if (name.startsWith(this.#owned ? `/${requestEntries}` : '/'))
      this.#move(name.slice(1), value?.toString() ?? null);
  }

  #move(name: string, value: string | null): void {
    if (value === null) this.#entries.delete(name);
    else this.#entries.set(name, parseEntry(value, this.#topic));
  }
}

/** The record of an entry that was never there before. */
export function entryRecord(name: string, token: string): CheckpointRecord {
  return { key: `/${name}`, value: JSON.stringify({ token, version: 1 } satisfies Entry) };
}

/** The record by which a process becomes the owner; null: nobody is any more. */
export function ownerRecord(owner: string | null): CheckpointRecord {
  return { key: OWNER_KEY, value: owner };
}

function parseEntry(value: string, topic: string): Entry {
  const entry: unknown = JSON.parse(value);
  if (typeof entry === 'object' && entry !== null && 'token' in entry && 'version' in entry) {
    const { token, version } = entry;
    if (typeof token === 'string' && typeof version === 'number') return { token, version };
  }
  const fix = 'nothing but Lockstep may write to this topic; give the pipeline another name or repair the topic';
  throw new LockstepError('KAFKA_MESSAGE', `the topic ${topic} holds an entry that is not ours`, { fix });
}
