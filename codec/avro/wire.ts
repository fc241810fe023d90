import type { AvroType } from './parse.ts';

/** How Debezium, Connect and Avro itself mark what a whole number counts, as units per second. */
const units: Readonly<Record<string, number>> = {
  'io.debezium.time.Timestamp': 1000,
  'io.debezium.time.MicroTimestamp': 1_000_000,
  'io.debezium.time.NanoTimestamp': 1_000_000_000,
  'io.debezium.time.Time': 1000,
  'io.debezium.time.MicroTime': 1_000_000,
  'io.debezium.time.NanoTime': 1_000_000_000,
  'org.apache.kafka.connect.data.Timestamp': 1000,
  'org.apache.kafka.connect.data.Time': 1000,
  'timestamp-millis': 1000,
  'timestamp-micros': 1_000_000,
  'timestamp-nanos': 1_000_000_000,
  'local-timestamp-millis': 1000,
  'local-timestamp-micros': 1_000_000,
  'local-timestamp-nanos': 1_000_000_000,
  'time-millis': 1000,
  'time-micros': 1_000_000,
};

/** What a time or timestamp counts; null where the type does not say. */
export function unitsPerSecond(type: AvroType): number | null {
  return units[type.semantic] ?? units[type.logicalType] ?? null;
}

/** The scale of a decimal, null for every other type. */
export function scaleOf(type: AvroType): number | null {
  if (type.type !== 'bytes' && type.type !== 'fixed') return null;
  if (type.logicalType === 'decimal') return type.scale;
  if (type.semantic !== 'org.apache.kafka.connect.data.Decimal') return null;
  return Number(type.parameters['scale'] ?? 0);
}
