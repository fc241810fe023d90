import type { ColumnType } from '../../../core/table.ts';
import { printClock, printClockOfDay, printDate, printFraction } from '../values/calendar.ts';
import type { Print } from '../values/printed.ts';
import { olderTemporal } from './older-temporal.ts';
import { wire, type WireColumn } from './table-map.ts';
import { bigEndian, minus, printTimestamp, type Temporal } from './temporal-parts.ts';

/** Null where the type is another one. Those of 5.6 and later carry fractions in the bytes behind; older ones have none, but in MariaDB. Source: sql-common/my_time.cc */
export function temporal(laid: WireColumn, type: ColumnType): Temporal | null {
  const digits = laid.meta;
  const fraction = (digits + 1) >> 1;
  switch (laid.type) {
    case wire.date:
    case wire.newdate:
      return type.kind === 'date' ? { width: 3, print: day } : null;
    case wire.timestamp2:
      return type.kind === 'timestamp' ? { width: 4 + fraction, print: timestamp2(digits) } : null;
    case wire.datetime2:
      return type.kind === 'datetime' ? { width: 5 + fraction, print: datetime2(digits) } : null;
    case wire.time2:
      return type.kind === 'time' ? { width: 3 + fraction, print: time2(digits) } : null;
    case wire.timestamp:
      return type.kind === 'timestamp' ? olderTemporal(type.kind, type.digits) : null;
    case wire.datetime:
      return type.kind === 'datetime' ? olderTemporal(type.kind, type.digits) : null;
    case wire.time:
      return type.kind === 'time' ? olderTemporal(type.kind, type.digits) : null;
    default:
      return null;
  }
}

const day: Print = (out, bytes, start) => {
  const packed = bytes.readUIntLE(start, 3);
  printDate(out, packed >> 9, (packed >> 5) & 15, packed & 31);
};

/** The fraction behind `start`, in µs. */
function micros(bytes: Buffer, start: number, digits: number): number {
  if (digits === 0) return 0;
  const size = (digits + 1) >> 1;
  return bigEndian(bytes, start, size) * 10 ** (6 - 2 * size);
}

function timestamp2(digits: number): Print {
  return (out, bytes, start) => {
    printTimestamp(out, bigEndian(bytes, start, 4), micros(bytes, start + 4, digits));
    printFraction(out, micros(bytes, start + 4, digits), digits);
  };
}

function datetime2(digits: number): Print {
  return (out, bytes, start) => {
    const packed = bigEndian(bytes, start, 5) - 0x80_0000_0000;
    const clock = packed % 0x2_0000;
    const days = (packed - clock) / 0x2_0000;
    const months = days >> 5;
    printDate(out, Math.trunc(months / 13), months % 13, days & 31);
    printClockOfDay(out, clock >> 12, (clock >> 6) & 63, clock & 63);
    printFraction(out, micros(bytes, start + 5, digits), digits);
  };
}

/** A negative time is the complement of whole and fraction together. */
function time2(digits: number): Print {
  const size = (digits + 1) >> 1;
  const scale = 256 ** size;
  return (out, bytes, start) => {
    const packed = bigEndian(bytes, start, 3 + size) - 0x80_0000 * scale;
    const value = Math.abs(packed);
    const whole = Math.floor(value / scale);
    if (packed < 0) out.byte(minus);
    printClock(out, (whole >> 12) & 1023, (whole >> 6) & 63, whole & 63);
    printFraction(out, (value % scale) * 10 ** (6 - 2 * size), digits);
  };
}
