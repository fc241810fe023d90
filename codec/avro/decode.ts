import type { Values, Value } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import { compileColumnReader, type ColumnReader } from './decodecolumn.ts';
import { columnNames, envelopeOf } from './envelope.ts';
import { parseSchema, type AvroField, type AvroRecord, type AvroType } from './parse.ts';
import { AvroReader } from './reader.ts';
import { compileSkip, type Skip } from './skip.ts';
import { HEADER_BYTES } from './writer.ts';

/** What an envelope says about where a change comes from; what a foreign envelope does not say is empty, 0 or null. */
export interface DecodedSource {
  readonly tsMs: number;
  readonly gtid: string | null;
  readonly file: string;
  readonly pos: number;
  readonly serverId: number;
  readonly snapshot: boolean;
}

export interface DecodedChange {
  /** `r` read, `c` insert, `u` update, `d` delete, `t` truncate, `m` marker or schema change. */
  readonly op: Op;
  readonly before: Values | null;
  readonly after: Values | null;
  readonly source: DecodedSource;
}

const ops = ['r', 'c', 'u', 'd', 't', 'm'] as const;
export type Op = (typeof ops)[number];

export interface Decoder {
  /** Decodes one message; `start` is where the Avro begins, behind the Confluent header. KAFKA_MESSAGE for bytes that are not of the schema. */
  decode(message: Buffer, start?: number): DecodedChange;
}

/** The schema id in a message's Confluent header; null when there is no such header. */
export function schemaIdOf(message: Buffer): number | null {
  return message.length >= HEADER_BYTES && message[0] === 0 ? message.readInt32BE(1) : null;
}

/** What the steps of a decoder fill, one message after another. */
interface Draft {
  op: string;
  before: Values | null;
  after: Values | null;
  tsMs: number;
  gtid: string | null;
  file: string;
  pos: number;
  serverId: number;
  snapshot: string;
}

type Step = (reader: AvroReader, draft: Draft) => void;

/**
 * A decoder for values written with `writerSchema` (JSON text), Debezium's envelope by any writer, into rows of `table` (as
 * `tableFromSchema` gives it). KAFKA_MESSAGE where schema and table do not go together.
 */
export function compileDecoder(writerSchema: string, table: TableSchema): Decoder {
  const { envelope, value } = envelopeOf(parseSchema(writerSchema));
  const row = compileRow(value, table);
  const steps = envelope.fields.map((field) => envelopeStep(field, row));
  const reader = new AvroReader();
  const draft: Draft = {
    op: '',
    before: null,
    after: null,
    tsMs: 0,
    gtid: null,
    file: '',
    pos: 0,
    serverId: 0,
    snapshot: '',
  };
  return {
    decode(message, start = HEADER_BYTES) {
      reader.open(message, start);
      draft.before = null;
      draft.after = null;
      for (const step of steps) step(reader, draft);
      const op = ops.find((one) => one === draft.op);
      if (op === undefined || !reader.ended) throw foreignBytes(table);
      const { tsMs, gtid, file, pos, serverId, snapshot } = draft;
      const source = { tsMs, gtid, file, pos, serverId, snapshot: snapshot !== '' && snapshot !== 'false' };
      return { op, before: draft.before, after: draft.after, source };
    },
  };
}

function foreignBytes(table: TableSchema): LockstepError {
  return new LockstepError(
    'KAFKA_MESSAGE',
    `a message for ${table.origin} does not fit the schema whose id it carries`,
    {
      fix: 'find its producer: the schema it writes with is another one',
    },
  );
}

type RowReader = (reader: AvroReader) => Values;

function envelopeStep(field: AvroField, row: RowReader): Step {
  const skip = compileSkip(field.type);
  switch (field.name) {
    case 'before': {
      const read = rowOrNull(field.type, row);
      return (reader, draft) => void (draft.before = read(reader));
    }
    case 'after': {
      const read = rowOrNull(field.type, row);
      return (reader, draft) => void (draft.after = read(reader));
    }
    case 'op': {
      const read = textReader(field.type);
      return (reader, draft) => void (draft.op = read(reader) ?? '');
    }
    case 'source':
      return field.type.type === 'record' ? sourceStep(field.type) : skip;
    default:
      return skip;
  }
}

function rowOrNull(type: AvroType, row: RowReader): (reader: AvroReader) => Values | null {
  return scalar<Values | null>(type, row, null);
}

function sourceStep(type: AvroRecord): Step {
  const steps = type.fields.map(sourceField);
  return (reader, draft) => {
    for (const step of steps) step(reader, draft);
  };
}

function sourceField(field: AvroField): Step {
  const number = scalar(field.type, (reader) => reader.long(), 0);
  const text = textReader(field.type);
  const skip: Skip = compileSkip(field.type);
  switch (field.name) {
    case 'ts_ms':
      return (reader, draft) => void (draft.tsMs = number(reader));
    case 'gtid':
      return (reader, draft) => void (draft.gtid = text(reader));
    case 'file':
      return (reader, draft) => void (draft.file = text(reader) ?? '');
    case 'pos':
      return (reader, draft) => void (draft.pos = number(reader));
    case 'server_id':
      return (reader, draft) => void (draft.serverId = number(reader));
    case 'snapshot':
      return (reader, draft) => void (draft.snapshot = text(reader) ?? '');
    default:
      return skip;
  }
}

/** A reader of a text that one message after another has the same. */
function textReader(type: AvroType): (reader: AvroReader) => string | null {
  const last = { bytes: Buffer.alloc(0), text: '' };
  return scalar<string | null>(type, (reader) => reader.stringAgain(last), null);
}

/** A reader of a field that may be a union with null, for which it gives `absent`. */
function scalar<T>(type: AvroType, read: (reader: AvroReader) => T, absent: T): (reader: AvroReader) => T {
  if (type.type !== 'union') return read;
  const nulls = type.branches.map((branch) => branch.type === 'null');
  return (reader) => {
    const isNull = nulls[reader.size()];
    if (isNull === undefined) throw new LockstepError('KAFKA_MESSAGE', 'a message has a branch that its union has not');
    return isNull ? absent : read(reader);
  };
}

/** Rows in the order of `table.columns`, whatever the order of the fields; each column has a field, else KAFKA_MESSAGE. */
function compileRow(value: AvroRecord, table: TableSchema): RowReader {
  const names = columnNames(value);
  const where = `table ${table.origin}`;
  const targets = names.map((name) => table.columns.findIndex((column) => column.name === name));
  const missing = table.columns.filter((_, index) => !targets.includes(index)).map((column) => column.name);
  if (missing.length > 0) {
    throw new LockstepError('KAFKA_MESSAGE', `${where}: the messages' schema has no field for ${missing.join(', ')}`);
  }
  const readers = value.fields.map((field, i): ColumnReader => {
    const column = table.columns[targets[i] ?? -1];
    if (column !== undefined) return compileColumnReader(field.type, column, where);
    const skip = compileSkip(field.type);
    return (reader) => {
      skip(reader);
      return null;
    };
  });
  if (targets.every((target, i) => target === i)) return (reader) => readAll(reader, readers);
  const blank: Values = table.columns.map(() => null);
  return (reader) => {
    const row: Value[] = blank.slice();
    for (let i = 0; i < readers.length; i++) {
      const found = readers[i]?.(reader) ?? null;
      const target = targets[i] ?? -1;
      if (target >= 0) row[target] = found;
    }
    return row;
  };
}

function readAll(reader: AvroReader, readers: readonly ColumnReader[]): Values {
  const row: Value[] = [];
  for (const read of readers) row.push(read(reader));
  return row;
}
