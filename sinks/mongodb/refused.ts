import { type AnyBulkWriteOperation, BSON, type Document, MongoBulkWriteError, MongoError } from 'mongodb';
import { keyTextOf } from '../../core/dead-letter.ts';
import { LockstepError } from '../../core/errors.ts';
import { numberOf, writeErrorsOf } from './errors.ts';
import type { KeyedWrite, UnkeyedWrite } from './fold.ts';

export type Write = KeyedWrite | UnkeyedWrite;

/** A write that the server or the driver does not take, for what is in its row. */
export interface RefusedWrite {
  readonly write: Write;
  readonly error: unknown;
}

/** Rows were refused and could be told apart; whether the others were written depends on who throws it. */
export class RowsRefused extends Error {
  override readonly name = 'RowsRefused';
  readonly refused: readonly RefusedWrite[];

  constructor(refused: readonly RefusedWrite[]) {
    super('rows were refused', { cause: refused[0]?.error });
    this.refused = refused;
  }
}

/** The server's numbers for a document it does not take: validator, unique index, size, index entries (mongo/base/error_codes.yml). */
const OF_ROWS = new Set([121, 11000, 10334, 17280, 17419, 17420, 16755]);
/** Documents hold 16 MiB (manual, "MongoDB Limits and Thresholds"). */
const LARGEST = 16 << 20;

/** The operations of writes. Errors: RowsRefused for all whose values cannot be carried. */
export function operationsOf<W extends Write>(
  writes: readonly W[],
  operation: (write: W) => AnyBulkWriteOperation,
): AnyBulkWriteOperation[] {
  const refused: RefusedWrite[] = [];
  const operations: AnyBulkWriteOperation[] = [];
  for (const write of writes) {
    try {
      operations.push(operation(write));
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== 'TARGET_VALUE_UNSUPPORTED') throw error;
      refused.push({ write, error });
    }
  }
  if (refused.length > 0) throw new RowsRefused(refused);
  return operations;
}

/** The error of a bulk write with the rows that are to blame for it; the error itself where none is. */
export function blamed(
  error: unknown,
  writes: readonly Write[],
  operations: readonly AnyBulkWriteOperation[],
): unknown {
  if (!(error instanceof Error)) return error;
  const refused = isTooLarge(error) ? largeWrites(error, writes, operations) : refusedWrites(error, writes);
  return refused.length === 0 ? error : new RowsRefused(refused);
}

function refusedWrites(error: Error, writes: readonly Write[]): RefusedWrite[] {
  if (!(error instanceof MongoBulkWriteError)) return [];
  const found = writeErrorsOf(error);
  if (!found.every(({ code }) => OF_ROWS.has(code))) return [];
  return found.flatMap(({ index }) => {
    const write = writes[index];
    return write === undefined ? [] : [{ write, error }];
  });
}

/** The driver refuses what is larger than a document before it sends it, and does not say which. */
function isTooLarge(error: Error): boolean {
  const number = numberOf(error);
  if (number !== null) return number === 10334 || number === 17419 || number === 17420;
  return (error instanceof MongoError && error.name === 'MongoInvalidArgumentError') || error instanceof RangeError;
}

function largeWrites(
  error: Error,
  writes: readonly Write[],
  operations: readonly AnyBulkWriteOperation[],
): RefusedWrite[] {
  return operations.flatMap((operation, index) => {
    const write = writes[index];
    const document = documentOf(operation);
    return write === undefined || document === null || BSON.calculateObjectSize(document) <= LARGEST
      ? []
      : [{ write, error: tooLarge(error, write) }];
  });
}

function documentOf(operation: AnyBulkWriteOperation): Document | null {
  if ('insertOne' in operation) return operation.insertOne.document;
  if ('replaceOne' in operation) return operation.replaceOne.replacement;
  return 'updateOne' in operation ? { update: operation.updateOne.update } : null;
}

function tooLarge(cause: Error, { to }: Write): LockstepError {
  const message = `${to.place}: a document is larger than the 16 MB that MongoDB holds`;
  return new LockstepError('TARGET_ROW_REFUSED', message, {
    fix: 'exclude the large column, or filter the row',
    cause,
  });
}

/** The row's table at the source and its key, as letters and `HeldDraft.sift` name them. */
export function keyOfWrite(write: Write): { readonly origin: string; readonly key: string } {
  const { table } = write.to.documents;
  const row = 'row' in write ? write.row : write.before;
  return { origin: table.origin, key: keyTextOf(table)(row) };
}
