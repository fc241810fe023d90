import { printClock, printClockOfDay, printDate, printFraction } from '../values/calendar.ts';
import type { Print } from '../values/printed.ts';
import { bigEndian, minus, printTimestamp, type Temporal } from './temporal-parts.ts';

type Kind = 'timestamp' | 'datetime' | 'time';

/**
 * Dates and times as they lay before MySQL 5.6, and in MariaDB do with mysql56_temporal_format=OFF, there with fractions too. The log does not
 * say how many digits they have: the declared type does. Source: MariaDB sql/field.cc, Field_timestamp_hires, Field_datetime_hires,
 * Field_time_hires.
 */
export function olderTemporal(kind: Kind, digits: number): Temporal {
  return digits === 0 ? whole[kind] : withFraction(kind, digits);
}

const oldTimestamp: Print = (out, bytes, start) => printTimestamp(out, bytes.readUInt32LE(start), 0);

const oldDatetime: Print = (out, bytes, start) => {
  const packed = Number(bytes.readBigUInt64LE(start));
  const date = Math.floor(packed / 1_000_000);
  const clock = packed % 1_000_000;
  printDate(out, Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100);
  printClockOfDay(out, Math.floor(clock / 10_000), Math.floor(clock / 100) % 100, clock % 100);
};

const oldTime: Print = (out, bytes, start) => {
  const packed = bytes.readIntLE(start, 3);
  const value = Math.abs(packed);
  if (packed < 0) out.byte(minus);
  printClock(out, Math.floor(value / 10_000), Math.floor(value / 100) % 100, value % 100);
};

const whole: Readonly<Record<Kind, Temporal>> = {
  timestamp: { width: 4, print: oldTimestamp },
  datetime: { width: 8, print: oldDatetime },
  time: { width: 3, print: oldTime },
};

function withFraction(kind: Kind, digits: number): Temporal {
  const width = widths[kind][digits] ?? 0;
  switch (kind) {
    case 'timestamp':
      return { width, print: timestamp(digits, width) };
    case 'datetime':
      return { width, print: datetime(digits, width) };
    case 'time':
      return { width, print: time(digits, width) };
  }
}

/** Bytes by digits. */
const widths = {
  timestamp: [4, 5, 5, 6, 6, 7, 7],
  datetime: [5, 6, 6, 7, 7, 7, 8],
  time: [3, 4, 4, 5, 5, 5, 6],
} as const;

function timestamp(digits: number, width: number): Print {
  const unit = 10 ** (6 - digits);
  return (out, bytes, start) => {
    const micros = bigEndian(bytes, start + 4, width - 4) * unit;
    printTimestamp(out, bigEndian(bytes, start, 4), micros);
    printFraction(out, micros, digits);
  };
}

/** One number, in which a year has 13 months and a month 32 days; beyond what a double holds. */
function datetime(digits: number, width: number): Print {
  const scale = 10n ** BigInt(digits);
  const unit = 10 ** (6 - digits);
  return (out, bytes, start) => {
    let packed = 0n;
    for (let i = start; i < start + width; i += 1) packed = packed * 256n + BigInt(bytes[i] ?? 0);
    const seconds = Number(packed / scale);
    const days = Math.floor(seconds / 86_400);
    const months = Math.floor(days / 32);
    printDate(out, Math.floor(months / 13), months % 13, days % 32);
    printClockOfDay(out, Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60);
    printFraction(out, Number(packed % scale) * unit, digits);
  };
}

/** One more than the longest time, in seconds: zero lies there, so that all are positive. */
const zero = 3_020_400;

function time(digits: number, width: number): Print {
  const scale = 10 ** digits;
  const unit = 10 ** (6 - digits);
  return (out, bytes, start) => {
    const packed = bigEndian(bytes, start, width) - zero * scale;
    const value = Math.abs(packed);
    const seconds = Math.floor(value / scale);
    if (packed < 0) out.byte(minus);
    printClock(out, Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60);
    printFraction(out, (value % scale) * unit, digits);
  };
}
