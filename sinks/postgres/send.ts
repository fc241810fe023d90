import { Bytes } from '../../core/bytes.ts';
import type { Row, Value } from '../../core/contracts.ts';
import { LockstepError, unreachable } from '../../core/errors.ts';
import { PackedRow, isNullAt, valueAt } from '../../core/row.ts';
import type { ColumnType } from '../../core/table.ts';
import type { OnChanged } from '../../core/value-policy.ts';
import type { Encoder } from './encode.ts';
import { hasNoEscapedNul, hasNoNul } from './unheld.ts';
import * as receive from './receive.ts';

/**
 * Appends a column of a row as a field of COPY's binary format: its length, most significant byte first, and what the type's receive
 * function takes; -1 is NULL. Errors: as of `Encoder`.
 */
export type Send = (out: Bytes, row: Row, index: number, onChanged?: OnChanged) => void;

/** For a column of the target that has the very type that `targetType` gives, PostGIS's apart. */
export function sendOf(type: ColumnType, encoder: Encoder): Send {
  switch (type.kind) {
    case 'int':
      return parsed(receive.integer(type.unsigned ? type.bits + 1 : type.bits), encoder);
    case 'year':
      return parsed(receive.integer(16), encoder);
    case 'bigint':
      return parsed(type.unsigned ? receive.numeric : receive.integer(64), encoder);
    case 'decimal':
      return parsed(receive.numeric, encoder);
    case 'date':
      return parsed(receive.date, encoder);
    case 'datetime':
    case 'timestamp':
      return parsed(receive.timestamp, encoder);
    case 'time':
      return parsed(receive.interval, encoder);
    case 'uuid':
      return parsed(receive.uuid, encoder);
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
      return adopted('', hasNoNul, encoder);
    case 'json':
      return adopted(JSONB_VERSION, hasNoEscapedNul, encoder);
    case 'inet4':
    case 'inet6':
      return parsed(receive.inet, encoder);
    case 'float':
      return valued((out, value) => typeof value === 'number' && receive.float4(out, value), encoder);
    case 'double':
      return valued((out, value) => typeof value === 'number' && receive.float8(out, value), encoder);
    case 'boolean':
      return valued((out, value) => typeof value === 'boolean' && receive.bool(out, value), encoder);
    case 'bit':
      return valued(
        (out, value) =>
          typeof value === 'boolean'
            ? receive.bool(out, value)
            : typeof value === 'bigint' && receive.bits(out, value, type.length),
        encoder,
      );
    case 'set':
      return valued(
        (out, value) => typeof value === 'string' && receive.texts(out, value === '' ? [] : value.split(',')),
        encoder,
      );
    case 'vector':
      return valued((out, value) => value instanceof Uint8Array && receive.floats(out, value), encoder);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return valued((out, value) => value instanceof Uint8Array && receive.bytea(out, value), encoder);
    case 'geometry':
      return valued((out, value) => receive.hex(out, encoder.input(value)), encoder);
    default:
      return unreachable(type);
  }
}

const JSONB_VERSION = '\u0001';
const NULL = -1;

const scratch = new Bytes(256);

/** For types whose binary form is made from the canonical text. */
function parsed(append: receive.Receive, { input }: Encoder): Send {
  return (out, row, index, onChanged) => {
    if (isNullAt(row, index)) {
      out.int32(NULL);
      return;
    }
    const at = begin(out);
    scratch.reset();
    if (row instanceof PackedRow && row.print(index, scratch) && append(out, scratch)) {
      end(out, at);
      return;
    }
    const printed = input(valueAt(row, index), onChanged);
    scratch.reset();
    scratch.text(printed ?? '');
    if (printed !== null && !append(out, scratch)) unreadable(printed);
    end(out, at, printed === null);
  };
}

/** For types whose binary form is their text behind a prefix. Where it does not hold, the encoder mends the text or says why not. */
function adopted(prefix: string, holds: (out: Bytes, from: number) => boolean, { input }: Encoder): Send {
  return (out, row, index, onChanged) => {
    if (isNullAt(row, index)) {
      out.int32(NULL);
      return;
    }
    const at = begin(out);
    out.ascii(prefix);
    const from = out.length;
    if (!(row instanceof PackedRow && row.print(index, out) && holds(out, from))) {
      out.length = from;
      out.text(input(valueAt(row, index), onChanged) ?? '');
    }
    end(out, at);
  };
}

/** For types whose binary form is made from the value. */
function valued(append: (out: Bytes, value: Exclude<Value, null>) => boolean, { input }: Encoder): Send {
  return (out, row, index, onChanged) => {
    const value = valueAt(row, index);
    if (value === null) {
      out.int32(NULL);
      return;
    }
    const at = begin(out);
    if (!append(out, value)) unreadable(input(value, onChanged) ?? '');
    end(out, at);
  };
}

/** Leaves room for the length. */
function begin(out: Bytes): number {
  const at = out.length;
  out.int32(NULL);
  return at;
}

function end(out: Bytes, at: number, isNull = false): void {
  if (!isNull) out.putInt32(at, out.length - at - 4);
}

/** A day that no calendar has is the one thing that canonical values can hold and PostgreSQL cannot, and the encoder lets pass. */
function unreadable(printed: string): never {
  throw new LockstepError('TARGET_VALUE_UNSUPPORTED', `PostgreSQL cannot hold ${printed.slice(0, 40)}`, {
    fix: 'mend the value at the source, or leave the column out with a transform',
  });
}
