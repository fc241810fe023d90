import type { DeadLetter, NewDeadLetter } from '../../core/dead-letter.ts';
import { unreachable } from '../../core/errors.ts';
import { HeldDraft, HeldKeys, type LetterStep } from '../../core/held-keys.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { deadLetterTopic } from '../../codec/kafka/names.ts';
import { createTopic, defaultReplication, topicSettings } from '../../codec/kafka/topics.ts';
import {
  goneRecords,
  type Label,
  labelRecord,
  type LetterRecord,
  pieceRecord,
  piecesOf,
  readLabels,
} from './letters.ts';
import { BATCH_BYTES, type Destination, maxBytesOf, type Publisher } from './publisher.ts';

/** Beside a piece there is little in its batch: the batch's own head, the record's, and a number for its key. */
const BESIDE_A_PIECE = 256;

interface Place {
  readonly cluster: Cluster;
  readonly pipeline: string;
  readonly replicationFactor: number | null;
}

/** What the owner of a pipeline knows of the letters in the topic. It alone writes them, so what it wrote need not be read back. */
export class HeldLetters {
  readonly keys: HeldKeys;
  readonly labels: Map<number, Label>;
  #next: number;
  readonly #place: Place;
  #destination: Promise<Destination> | null = null;

  private constructor(place: Place, keys: HeldKeys, labels: Map<number, Label>, next: number) {
    this.#place = place;
    this.keys = keys;
    this.labels = labels;
    this.#next = next;
  }

  /** Reads what is there; only the owner may. */
  static async load(place: Place, limit: number, signal: AbortSignal): Promise<HeldLetters> {
    const { labels, next } = await readLabels(place.cluster, deadLetterTopic(place.pipeline), signal);
    return new HeldLetters(place, new HeldKeys(limit, labels.values()), labels, next);
  }

  nextNumber(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  /** The topic, which the first letter creates. */
  async destination(signal: AbortSignal): Promise<Destination> {
    this.#destination ??= this.#open(signal);
    return await this.#destination;
  }

  async #open(signal: AbortSignal): Promise<Destination> {
    const { cluster, pipeline, replicationFactor } = this.#place;
    const created = {
      topic: deadLetterTopic(pipeline),
      partitions: 1,
      replicationFactor: replicationFactor ?? defaultReplication(cluster),
      settings: { 'cleanup.policy': 'compact' },
    };
    const { topic, leaders } = await createTopic(cluster, created, signal);
    return { topic, leaders, maxBytes: maxBytesOf(await topicSettings(cluster, topic, signal)) };
  }
}

/** What the open transaction of a lane does to the letters. */
export class LaneLetters {
  readonly draft: HeldDraft;
  readonly #held: HeldLetters;
  /** By number; null for one that is taken out. */
  readonly #pending = new Map<number, Label | null>();

  constructor(held: HeldLetters) {
    this.#held = held;
    this.draft = new HeldDraft(held.keys);
  }

  /** Publishes what the draft did since the last call. */
  async write(publisher: Publisher, signal: AbortSignal): Promise<void> {
    for (const step of this.draft.takeSteps()) {
      const to = await this.#held.destination(signal);
      const pieceBytes = Math.min(to.maxBytes, BATCH_BYTES) - BESIDE_A_PIECE;
      await this.#put(publisher, to, this.#records(step, pieceBytes), signal);
    }
  }

  /** Takes letters out. */
  async remove(letters: readonly DeadLetter[], publisher: Publisher, signal: AbortSignal): Promise<void> {
    const to = await this.#held.destination(signal);
    for (const { id } of letters) {
      const n = Number(id);
      const label = this.#held.labels.get(n);
      if (label !== undefined) await this.#put(publisher, to, this.#gone(n, label), signal);
    }
  }

  /** Makes known to all lanes what is durable now. */
  committed(): void {
    const { labels } = this.#held;
    for (const [n, label] of this.#pending) {
      if (label === null) labels.delete(n);
      else labels.set(n, label);
    }
    this.#pending.clear();
    this.draft.done();
  }

  async #put(
    publisher: Publisher,
    to: Destination,
    records: Iterable<LetterRecord>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { key, value } of records) await publisher.put(to, key, value, signal);
  }

  #records(step: LetterStep, pieceBytes: number): Iterable<LetterRecord> {
    switch (step.kind) {
      case 'add':
        return this.#added(step.letter, pieceBytes);
      case 'clear':
        return this.#of(step.origin).flatMap(([n, label]) => this.#gone(n, label));
      case 'rename':
        return this.#of(step.from).map(([n, label]) => this.#labelled(n, { ...label, origin: step.to }));
      case 'outdate':
        return this.#of(step.origin).map(([n, label]) => this.#labelled(n, { ...label, outdated: true }));
      default:
        return unreachable(step);
    }
  }

  #added(letter: NewDeadLetter, pieceBytes: number): LetterRecord[] {
    const { origin, keys } = letter;
    const pieces = piecesOf(letter, pieceBytes);
    const n = this.#held.nextNumber();
    const label = this.#labelled(n, { origin, keys, outdated: false, pieces: pieces.length });
    return [label, ...pieces.map((piece, i) => pieceRecord(n, i, piece))];
  }

  #labelled(n: number, label: Label): LetterRecord {
    this.#pending.set(n, label);
    return labelRecord(n, label);
  }

  #gone(n: number, label: Label): readonly LetterRecord[] {
    this.#pending.set(n, null);
    return goneRecords(n, label);
  }

  /** A table's letters as the transaction leaves them. */
  #of(origin: string): (readonly [number, Label])[] {
    const now = [...new Map<number, Label | null>([...this.#held.labels, ...this.#pending])];
    return now.flatMap(([n, label]) => (label?.origin === origin ? [[n, label] as const] : []));
  }
}
