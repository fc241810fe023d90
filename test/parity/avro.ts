import avro from 'avsc';
import { plainDecimal, doubleText } from '../../verify/number.ts';
import { canonicalJson } from '../../verify/json.ts';
import type { Text } from '../../verify/row.ts';
import { shortFraction } from '../../verify/time.ts';
import { recordsOf } from '../integration/kafka/scene.ts';

/** What another consumer of the topics finds, read with avsc and Debezium's documentation alone. */
export interface AvroTable {
  /** The Avro types of the columns in order, with their semantic names. */
  readonly types: readonly string[];
  /** The last state of each row by its first column, as texts to compare. */
  readonly rows: ReadonlyMap<number, readonly Text[]>;
}

/** A field's type in the schema, without its union with null. */
interface FieldType {
  readonly type: string;
  readonly 'connect.name'?: string;
  readonly precision?: number;
  readonly scale?: number;
}

interface Field {
  readonly name: string;
  readonly type: unknown;
}

/** The schemas of a pipeline whose registry is the built-in one, by id. */
export async function storedSchemas(broker: string, pipeline: string): Promise<ReadonlyMap<number, string>> {
  const records = await recordsOf({ brokers: [broker], registry: null }, `${pipeline}.schemas`);
  const stored = records.map(({ value }) => JSON.parse(String(value)) as { id?: number; schema?: string });
  return new Map(stored.map(({ id = 0, schema = '' }) => [id, schema]));
}

/** Reads a topic to its end. */
export async function readTopic(
  broker: string,
  topic: string,
  schemas: ReadonlyMap<number, string>,
): Promise<AvroTable> {
  const rows = new Map<number, readonly Text[]>();
  const readers = new Map<number, Reader>();
  let types: readonly string[] = [];
  for (const { value } of await recordsOf({ brokers: [broker], registry: null }, topic)) {
    if (value === null) continue;
    const id = value.readInt32BE(1);
    const reader = readers.get(id) ?? readerOf(schemas.get(id) ?? '');
    readers.set(id, reader);
    ({ types } = reader);
    const { op, before, after } = reader.read(value.subarray(5));
    if (op === 'd') rows.delete(Number(before?.[0]));
    else if (after !== null) rows.set(Number(after[0]), after);
  }
  return { types, rows };
}

interface Reader {
  readonly types: readonly string[];
  read(bytes: Buffer): { op: string; before: readonly Text[] | null; after: readonly Text[] | null };
}

type Fields = Readonly<Record<string, unknown>>;

function readerOf(schema: string): Reader {
  const parsed = JSON.parse(schema) as { fields: readonly Field[] };
  const record = plainType(parsed.fields.find(({ name }) => name === 'before')?.type) as unknown as {
    fields?: readonly Field[];
  };
  const fields = (record.fields ?? []).map(({ name, type }) => ({ name, type: plainType(type) }));
  const texts = fields.map(({ type }) => textOf(type));
  const row = (values: Fields | null): readonly Text[] | null =>
    values && fields.map(({ name }, i) => (isAbsent(values[name]) ? null : (texts[i]?.(values[name]) ?? null)));
  const type = avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { typeHook });
  return {
    types: fields.map(({ type }) => described(type)),
    read(bytes) {
      const { op, before, after } = type.fromBuffer(bytes) as {
        op: string;
        before: Fields | null;
        after: Fields | null;
      };
      return { op, before: row(before), after: row(after) };
    },
  };
}

const isAbsent = (value: unknown): boolean => value === null || value === undefined;

/** avsc's own long is a double, and refuses beyond 2^53. */
const bigLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: () => Buffer.alloc(8),
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => Number(a - b),
});

/** For avsc: whole longs. */
export function typeHook(type: unknown): avro.Type | undefined {
  const named = typeof type === 'object' && type !== null && 'type' in type ? type.type : type;
  return named === 'long' ? bigLong : undefined;
}

/** The type in a union with null, as an object. A record that was defined before stands there by its name. */
function plainType(type: unknown): FieldType {
  const inner: unknown = Array.isArray(type) ? type.find((each) => each !== 'null') : type;
  if (typeof inner !== 'string') return inner as FieldType;
  return inner.endsWith('.Geometry') ? { type: 'record', 'connect.name': inner } : { type: inner };
}

function described(type: FieldType): string {
  const { precision, scale = 0, 'connect.name': name } = type;
  if (precision !== undefined) return `bytes, decimal(${precision},${scale})`;
  return name === undefined ? type.type : `${type.type} ${name}`;
}

/** How a value of a type is compared. Sources: Debezium's MySQL connector, "Data type mappings"; Avro 1.12, "Decimal". */
function textOf(type: FieldType): (value: unknown) => Text {
  const { scale = 0, 'connect.name': name } = type;
  switch (name) {
    case 'org.apache.kafka.connect.data.Decimal':
      return (value) => plainDecimal(pointed(signed(value as Buffer), scale));
    case 'io.debezium.time.Date':
      return (value) => iso(BigInt(Number(value)) * 86_400_000_000n).slice(0, 10);
    case 'io.debezium.time.Timestamp':
      return (value) => iso(BigInt(String(value)) * 1000n);
    case 'io.debezium.time.MicroTimestamp':
      return (value) => iso(BigInt(String(value)));
    case 'io.debezium.time.ZonedTimestamp':
      return (value) => shortFraction(String(value).replace('T', ' ').replace(/Z$/, ''));
    case 'io.debezium.data.Json':
      return (value) => canonicalJson(String(value));
    case 'io.debezium.data.Bits':
      return (value) =>
        String(
          BigInt(
            `0x${Buffer.from(value as Buffer)
              .reverse()
              .toString('hex')}`,
          ),
        );
    case 'io.debezium.data.FloatVector':
      return (value) => (value as number[]).map((each) => doubleText(Math.fround(each))).join();
    case 'io.debezium.data.geometry.Geometry':
      return (value) => geometry(value as { wkb: Buffer; srid: number | null });
    default:
      return plainText;
  }
}

function plainText(value: unknown): Text {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'number' ? doubleText(value) : String(value);
}

/** Two's complement, big endian. */
function signed(bytes: Buffer): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}

function pointed(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

/** Microseconds since 1970 as `YYYY-MM-DD hh:mm:ss[.digits]`. */
function iso(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const whole = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, 19).replace('T', ' ');
  return shortFraction(`${whole}.${String(rest).padStart(6, '0')}`);
}

function geometry({ wkb, srid }: { wkb: Buffer; srid: number | null }): string {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(srid ?? 0);
  return Buffer.concat([head, wkb]).toString('latin1');
}
