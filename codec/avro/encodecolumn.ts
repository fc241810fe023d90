import { Bytes } from '../../core/bytes.ts';
import type { Row, Value } from '../../core/contracts.ts';
import { LockstepError } from '../../core/errors.ts';
import { isNullAt, printAt, valueAt } from '../../core/row.ts';
import type { Column, ColumnType } from '../../core/table.ts';
import { daysOf, fractionOf, microsOfTime, secondsOf } from '../../core/date-text.ts';
import { writeDecimal, writeDecimalText } from './decimal.ts';
import type { AvroWriter } from './writer.ts';

/** Appends a column of a row. KAFKA_MESSAGE where its Avro type cannot hold the value. */
export type ColumnWriter = (writer: AvroWriter, row: Row, column: number) => void;

/** Appends a value that is not null; false, with nothing written, where it cannot be held. */
type FieldWriter = (writer: AvroWriter, row: Row, column: number) => boolean;
type ValueWriter = (writer: AvroWriter, value: Exclude<Value, null>) => boolean;
/** The same of a value that is given as its canonical text in UTF-8, so that no string need be made of what lies in a source's bytes. */
type TextWriter = (writer: AvroWriter, text: Bytes) => boolean;

/** `where` is the table, for messages. */
export function compileColumnWriter(column: Column, where: string): ColumnWriter {
  const write = fieldWriter(column.type);
  if (!column.nullable) {
    return (writer, row, index) => {
      if (isNullAt(row, index)) throw refusal(column, where, 'holds NULL, which its type forbids');
      if (!write(writer, row, index)) throw refusal(column, where, unheld(column.type));
    };
  }
  const absent = isCalendar(column.type);
  return (writer, row, index) => {
    if (isNullAt(row, index)) {
      writer.byte(0);
      return;
    }
    const start = writer.length;
    writer.byte(2);
    if (write(writer, row, index)) return;
    if (!absent) throw refusal(column, where, unheld(column.type));
    writer.reset(start);
    writer.byte(0);
  };
}

function fieldWriter(type: ColumnType): FieldWriter {
  const writeText = textWriter(type);
  if (writeText !== null) return (writer, row, index) => writeFieldText(writer, row, index, writeText);
  const writeValue = valueWriter(type);
  return (writer, row, index) => {
    const value = valueAt(row, index);
    return value !== null && writeValue(writer, value);
  };
}

const field = new Bytes(1024);

function writeFieldText(writer: AvroWriter, row: Row, index: number, write: TextWriter): boolean {
  field.reset();
  const isText = printAt(row, index, field) && write(writer, field);
  field.reset();
  return isText;
}

/** Zero and partial dates are no dates to Avro: null where that is allowed. */
function isCalendar(type: ColumnType): boolean {
  return type.kind === 'date' || type.kind === 'datetime' || type.kind === 'timestamp';
}

function unheld(type: ColumnType): string {
  return isCalendar(type)
    ? 'holds a zero or partial date, which Avro has not'
    : 'holds a value that its Avro type cannot hold';
}

function refusal(column: Column, where: string, problem: string): LockstepError {
  return new LockstepError('KAFKA_MESSAGE', `${where}: column ${column.name} (${column.declared}) ${problem}`, {
    fix: `make the column nullable at the source, mend the value there, or leave the column out with a transform`,
  });
}

/** Null for the types whose values are no texts, and those of which a text would be made only for this. */
function textWriter(type: ColumnType): TextWriter | null {
  switch (type.kind) {
    case 'decimal':
      return (writer, text) => writeDecimalText(writer, text, type.scale);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return writeText;
    case 'date':
      return writeDate;
    case 'datetime':
      return type.digits > 3 ? writeMicros : writeMillis;
    case 'timestamp':
      return writeZoned;
    case 'time':
      return writeTime;
    default:
      return null;
  }
}

function valueWriter(type: ColumnType): ValueWriter {
  switch (type.kind) {
    case 'int':
      return type.unsigned && type.bits === 32 ? writeLong : writeInt;
    case 'year':
      return writeInt;
    case 'bigint':
      return type.unsigned ? writeUnsigned : writeBigint;
    case 'float':
      return writeFloat;
    case 'double':
      return writeDouble;
    case 'boolean':
      return writeBoolean;
    case 'bit':
      return type.length === 1 ? writeBoolean : bitsWriter(Math.ceil(type.length / 8));
    case 'binary':
    case 'varbinary':
    case 'blob':
      return writeBytes;
    case 'geometry':
      return writeGeometry;
    case 'vector':
      return writeVector;
    default:
      throw new LockstepError('BUG', `values of ${type.kind} go to Avro as texts`);
  }
}

const writeInt: ValueWriter = (writer, value) => {
  if (typeof value !== 'number' || (value | 0) !== value) return false;
  writer.long(value);
  return true;
};

const writeLong: ValueWriter = (writer, value) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false;
  writer.long(value);
  return true;
};

const writeBigint: ValueWriter = (writer, value) => {
  if (typeof value !== 'bigint') return false;
  writer.bigLong(value);
  return true;
};

const writeUnsigned: ValueWriter = (writer, value) => {
  if (typeof value !== 'bigint') return false;
  writeDecimal(writer, value);
  return true;
};

const writeFloat: ValueWriter = (writer, value) => {
  if (typeof value !== 'number') return false;
  writer.float(value);
  return true;
};

const writeDouble: ValueWriter = (writer, value) => {
  if (typeof value !== 'number') return false;
  writer.double(value);
  return true;
};

const writeBoolean: ValueWriter = (writer, value) => {
  if (typeof value !== 'boolean') return false;
  writer.byte(value ? 1 : 0);
  return true;
};

/** Debezium's Bits: the bytes of the number, little endian. */
function bitsWriter(length: number): ValueWriter {
  return (writer, value) => {
    if (typeof value !== 'bigint') return false;
    writer.byte(length << 1);
    const at = writer.room(length);
    let low = Number(BigInt.asUintN(32, value));
    for (let i = 0; i < Math.min(length, 4); i++, low >>>= 8) writer.buffer[at + i] = low & 0xff;
    let high = Number(BigInt.asUintN(32, value >> 32n));
    for (let i = 4; i < length; i++, high >>>= 8) writer.buffer[at + i] = high & 0xff;
    return true;
  };
}

const writeText: TextWriter = (writer, { buffer, length }) => {
  writer.long(length);
  writer.raw(buffer, 0, length);
  return true;
};

const writeBytes: ValueWriter = (writer, value) => {
  if (!(value instanceof Uint8Array)) return false;
  writer.bytes(value);
  return true;
};

const writeDate: TextWriter = (writer, text) => {
  const days = daysOf(text);
  if (Number.isNaN(days)) return false;
  writer.long(days);
  return true;
};

const writeMillis: TextWriter = (writer, text) => {
  const seconds = secondsOf(text);
  if (Number.isNaN(seconds)) return false;
  writer.long(seconds * 1000 + fractionOf(text, 19, 3));
  return true;
};

const writeMicros: TextWriter = (writer, text) => {
  const seconds = secondsOf(text);
  if (Number.isNaN(seconds)) return false;
  writer.scaledLong(seconds, 1_000_000, fractionOf(text, 19, 6));
  return true;
};

/** ISO 8601 with all its digits and `Z`: the same characters but two. */
const writeZoned: TextWriter = (writer, text) => {
  if (Number.isNaN(secondsOf(text))) return false;
  const { buffer: from, length } = text;
  writer.byte((length + 1) << 1);
  const at = writer.room(length + 1);
  const { buffer } = writer;
  for (let i = 0; i < length; i++) buffer[at + i] = from[i] ?? 0;
  buffer[at + 10] = 0x54;
  buffer[at + length] = 0x5a;
  return true;
};

const writeTime: TextWriter = (writer, text) => {
  const micros = microsOfTime(text);
  if (Number.isNaN(micros)) return false;
  writer.long(micros);
  return true;
};

/** SRID 0 is none: null, as Debezium writes it. */
const writeGeometry: ValueWriter = (writer, value) => {
  if (!(value instanceof Uint8Array) || value.length < 4) return false;
  writer.bytes(value, 4);
  const srid = (value[0] ?? 0) | ((value[1] ?? 0) << 8) | ((value[2] ?? 0) << 16) | ((value[3] ?? 0) << 24);
  if (srid === 0) writer.byte(0);
  else {
    writer.byte(2);
    writer.long(srid);
  }
  return true;
};

/** An array in one block; its floats are little endian in Avro as in the column. */
const writeVector: ValueWriter = (writer, value) => {
  if (!(value instanceof Uint8Array) || value.length % 4 !== 0) return false;
  if (value.length > 0) {
    writer.long(value.length / 4);
    writer.raw(value, 0, value.length);
  }
  writer.byte(0);
  return true;
};
