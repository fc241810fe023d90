import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import type { ToldCascade } from './cascade.ts';

/** The header of a change that has no row and travels every partition. */
export const BARRIER_HEADER = 'lockstep-barrier';

/** What a barrier's header says, as JSON. */
export interface BarrierHeader {
  /** The same in every partition, and no other barrier's: it begins with the change's place in the source. */
  readonly id: string;
  readonly kind: 'truncate' | 'schema' | 'marker' | 'cascade';
  /** The partitions it travels: all of these topics, so many in each when it was published. */
  readonly across: Readonly<Record<string, number>>;
  /** A schema change: the statement as the source wrote it, and the table before and after. A truncate: the table is `after`. */
  readonly statement?: string;
  readonly before?: TableSchema | null;
  readonly after?: TableSchema | null;
  /** A marker's own token. */
  readonly token?: string;
  /** What foreign keys did to rows of these topics. */
  readonly cascade?: ToldCascade;
}

/** Parses a header's bytes. Throws KAFKA_MESSAGE where they are not ours. */
export function parseBarrier(bytes: Uint8Array, where: string): BarrierHeader {
  let header: unknown = null;
  try {
    header = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    header = null;
  }
  if (isBarrierHeader(header)) return header;
  const fix = `nothing but Lockstep may set the header ${BARRIER_HEADER}`;
  throw new LockstepError('KAFKA_MESSAGE', `${where} has a header ${BARRIER_HEADER} that is not ours`, { fix });
}

function isBarrierHeader(header: unknown): header is BarrierHeader {
  return (
    typeof header === 'object' &&
    header !== null &&
    'id' in header &&
    typeof header.id === 'string' &&
    'kind' in header &&
    (header.kind === 'truncate' || header.kind === 'schema' || header.kind === 'marker' || header.kind === 'cascade') &&
    'across' in header &&
    typeof header.across === 'object'
  );
}
