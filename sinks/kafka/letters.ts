import type { DeadLetter, NewDeadLetter } from '../../core/dead-letter.ts';
import { LockstepError } from '../../core/errors.ts';
import { sleep } from '../../core/signals.ts';
import { readChange, writeChange } from '../../core/stored-change.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';
import type { Cluster } from '../../codec/kafka/cluster.ts';
import { partitionOffsets, readToEnd } from '../../codec/kafka/log.ts';

const DECIDED_MS = 1000;

/**
 * A letter in the topic is a label under its number, and its text in pieces under `number/piece`: a change may be larger than a message. The text is
 * two lines of JSON, what is said of the change and the change itself. The label alone changes later, so it alone is kept in memory (G6).
 */
export interface Label {
  readonly origin: string;
  readonly keys: readonly string[];
  readonly outdated: boolean;
  readonly pieces: number;
}

/** A record for the topic; a null value removes what is there. */
export interface LetterRecord {
  readonly key: string;
  readonly value: Buffer | null;
}

export function labelRecord(n: number, label: Label): LetterRecord {
  return { key: String(n), value: Buffer.from(JSON.stringify(label)) };
}

export function pieceRecord(n: number, piece: number, value: Buffer): LetterRecord {
  return { key: `${String(n)}/${String(piece)}`, value };
}

/** What takes a letter out. */
export function goneRecords(n: number, { pieces }: Label): readonly LetterRecord[] {
  const keys = Array.from({ length: pieces }, (_, piece) => `${String(n)}/${String(piece)}`);
  return [String(n), ...keys].map((key) => ({ key, value: null }));
}

type Words = Pick<DeadLetter, 'state' | 'code' | 'reason' | 'setAsideAtMs'>;

/** A letter's text in pieces of at most `bytes`. */
export function piecesOf({ origin, keys, state, code, reason, change }: NewDeadLetter, bytes: number): Buffer[] {
  const words = { origin, keys, state, code, reason, setAsideAtMs: Date.now() };
  const text = Buffer.from(`${JSON.stringify(words)}\n${writeChange(change)}`);
  return Array.from({ length: Math.ceil(text.length / bytes) }, (_, i) => text.subarray(i * bytes, (i + 1) * bytes));
}

/** The labels by number, and the number that no letter had yet. */
export async function readLabels(
  cluster: Cluster,
  topic: string,
  signal: AbortSignal,
): Promise<{ readonly labels: Map<number, Label>; readonly next: number }> {
  const labels = new Map<number, Label>();
  let next = 1;
  const note = ({ key, value }: KafkaRecord): void => {
    const { n, piece } = parseKey(key, topic);
    next = Math.max(next, n + 1);
    if (piece !== null) return;
    if (value === null) labels.delete(n);
    else labels.set(n, parseLabel(value, topic));
  };
  await readToEnd(cluster, topic, 0, note, signal);
  return { labels, next };
}

/** The letters, in order. */
export async function readLetters(cluster: Cluster, topic: string, signal: AbortSignal): Promise<DeadLetter[]> {
  await decided(cluster, topic, signal);
  const labels = new Map<number, Label>();
  const texts = new Map<number, Map<number, Buffer>>();
  const note = ({ key, value }: KafkaRecord): void => {
    const { n, piece } = parseKey(key, topic);
    const pieces = texts.get(n) ?? new Map<number, Buffer>();
    if (value === null) {
      if (piece !== null) pieces.delete(piece);
      else if (labels.delete(n)) texts.delete(n);
    } else if (piece === null) labels.set(n, parseLabel(value, topic));
    // The record's own bytes would keep the whole fetch in memory.
    else texts.set(n, pieces.set(piece, Buffer.from(value)));
  };
  await readToEnd(cluster, topic, 0, note, signal);
  const inOrder = [...labels].toSorted(([a], [b]) => a - b);
  return inOrder.map(([n, label]) => letterOf(n, label, texts.get(n) ?? new Map<number, Buffer>(), topic));
}

/** What was committed just now is to be seen some milliseconds later; what a transaction has open may be much longer. */
async function decided(cluster: Cluster, topic: string, signal: AbortSignal): Promise<void> {
  const [place] = await cluster.topics([topic], signal);
  if (place === undefined) return;
  const offset = async (at: 'written' | 'end'): Promise<number> =>
    (await partitionOffsets(cluster, topic, place.leaders, at, signal))[0] ?? 0;
  const written = await offset('written');
  const deadline = Date.now() + DECIDED_MS;
  while ((await offset('end')) < written && Date.now() < deadline) await sleep(5, signal);
}

function letterOf(
  n: number,
  { origin, keys, outdated, pieces }: Label,
  text: ReadonlyMap<number, Buffer>,
  topic: string,
): DeadLetter {
  const found = Array.from({ length: pieces }, (_, piece) => text.get(piece) ?? Buffer.alloc(0));
  const [words = '', change = ''] = Buffer.concat(found).toString().split('\n', 2);
  return { id: String(n), origin, keys, outdated, ...parseWords(words, topic), change: readChange(change) };
}

function parseKey(key: Buffer | null, topic: string): { readonly n: number; readonly piece: number | null } {
  const match = /^(\d+)(?:\/(\d+))?$/.exec(key?.toString() ?? '');
  if (match === null) throw notOurs(topic);
  return { n: Number(match[1]), piece: match[2] === undefined ? null : Number(match[2]) };
}

function parseLabel(value: Buffer, topic: string): Label {
  const label: unknown = JSON.parse(value.toString());
  if (typeof label === 'object' && label !== null && 'origin' in label && 'keys' in label && 'pieces' in label)
    return label as Label;
  throw notOurs(topic);
}

function parseWords(text: string, topic: string): Words {
  const words: unknown = text === '' ? null : JSON.parse(text);
  if (typeof words !== 'object' || words === null || !('state' in words) || !('code' in words)) throw notOurs(topic);
  const { state, code, reason, setAsideAtMs } = words as Words;
  return { state, code, reason, setAsideAtMs };
}

function notOurs(topic: string): LockstepError {
  const fix = 'nothing but Lockstep may write to this topic; repair it, or delete it to drop all dead letters';
  return new LockstepError('KAFKA_MESSAGE', `the topic ${topic} holds something that is no dead letter`, { fix });
}
