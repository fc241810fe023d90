import { sizeOfRow } from '../../core/row.ts';
import type { KeyedWrite, Segment, Step, UnkeyedWrite } from './fold.ts';

/** The writes of one transaction. */
export interface Chunk {
  readonly keyed: readonly KeyedWrite[];
  readonly unkeyed: readonly UnkeyedWrite[];
}

/** Writes and estimated bytes of one transaction. Measured: 1,000 writes each cost the server a tenth to a third more, and 5,000 cost it no less. */
const limits = { writes: 2_500, bytes: 4 << 20 };

/**
 * Rows without a key are applied exactly once only in the same transaction as the checkpoint, so theirs may be larger: a
 * transaction holds what it wrote in the server's cache until it commits.
 */
const unkeyedLimits = { writes: 20_000, bytes: 16 << 20 };

/** Cuts a segment into transactions. `bytes` is the batch's estimate: sizes are only looked at where they can matter. */
export function chunksOf(segment: Segment, bytes: number): Chunk[] {
  const { keyed, unkeyed } = segment;
  const sized = bytes > limits.bytes / 4;
  if (unkeyed.length > 0 && fits(unkeyed, unkeyedLimits, sized) && fits(keyed, limits, sized))
    return [{ keyed, unkeyed }];
  const chunks = cut(keyed, limits, sized).map((keyed): Chunk => ({ keyed, unkeyed: [] }));
  return [...chunks, ...cut(unkeyed, unkeyedLimits, sized).map((unkeyed): Chunk => ({ keyed: [], unkeyed }))];
}

/** With cascades among them, which bring as many again. */
const mostBesideCascades = 1_000;

/** Whether steps of rows, and cascades among them, fit one transaction. */
export function isSmall(steps: readonly Step[], bytes: number): boolean {
  if (bytes > limits.bytes || !steps.some(({ kind }) => kind === 'cascade')) return false;
  let writes = 0;
  for (const step of steps) {
    if (step.kind === 'truncate' || step.kind === 'schema') return false;
    if (step.kind === 'rows') writes += step.segment.keyed.length + step.segment.unkeyed.length;
  }
  return writes <= mostBesideCascades;
}

type Limits = typeof limits;
type Write = KeyedWrite | UnkeyedWrite;

function fits(writes: readonly Write[], limits: Limits, sized: boolean): boolean {
  return cut(writes, limits, sized).length <= 1;
}

function cut<W extends Write>(writes: readonly W[], limits: Limits, sized: boolean): (readonly W[])[] {
  if (writes.length <= limits.writes && !sized) return writes.length === 0 ? [] : [writes];
  const pieces: W[][] = [];
  let piece: W[] = [];
  let bytes = 0;
  for (const write of writes) {
    const size = sized ? sizeOf(write) : 0;
    if (piece.length >= limits.writes || (piece.length > 0 && bytes + size > limits.bytes)) {
      pieces.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(write);
    bytes += size;
  }
  return piece.length === 0 ? pieces : [...pieces, piece];
}

function sizeOf(write: Write): number {
  return ('row' in write ? sizeOfRow(write.row) : 0) + ('before' in write ? sizeOfRow(write.before) : 0);
}
