import { beforeAll, expect, test } from 'vitest';
import type { Change, Values } from '../../../../core/contracts.ts';
import { isRowChange } from '../../../../core/transform.ts';
import { compileEncoder, type Encoder } from '../../../../codec/avro/encode.ts';
import { keySchema, valueSchema } from '../../../../codec/avro/schema.ts';
import { AvroWriter } from '../../../../codec/avro/writer.ts';
import type { KafkaRecord } from '../../../../codec/kafka/batch-reader.ts';
import { keySubject, valueSubject } from '../../../../codec/kafka/names.ts';
import { builtInRegistry, type BuiltInRegistry } from '../../../../codec/registry/builtin.ts';
import { decodeRecords, type Trail } from '../../../../connectors/kafka/decode.ts';
import { Schemas } from '../../../../connectors/kafka/schemas.ts';
import { memoryStore } from '../../codec/memory-store.ts';
import { insert, remove } from '../../core/memory.ts';
import { column, int, table, text } from '../../core/tables.ts';

const TOPIC = 'shop.shop.places';
const places = table('shop.places', [column('name', text), column('region', int), column('visits', int)], [1, 0]);
const row: Values = ['Brno', 7, 12];
const byKey: Values = ['Brno', 7, null];
const never = new AbortController().signal;

let registry: BuiltInRegistry;
let encoder: Encoder;

beforeAll(async () => {
  registry = await builtInRegistry(memoryStore(), never);
  const ids = {
    key: await registry.register(keySubject(TOPIC), keySchema(places, TOPIC) ?? '', never),
    value: await registry.register(valueSubject(TOPIC), valueSchema(places, TOPIC), never),
  };
  encoder = compileEncoder(places, TOPIC, { ids, name: 'shop' });
});

function record(change: Change | null): KafkaRecord {
  const writer = new AvroWriter();
  const bytes = (): Buffer => Buffer.from(writer.buffer.subarray(0, writer.length));
  encoder.key(row, writer);
  const key = bytes();
  writer.reset();
  if (change !== null) encoder.value(change, writer, 0);
  return { offset: 0, key, value: change === null ? null : bytes(), headers: null, timestampMs: 5 };
}

/** What several fetches of one partition become: kind and the row that a delete names. */
async function decoded(...fetches: readonly (readonly KafkaRecord[])[]): Promise<unknown[]> {
  const schemas = new Schemas(registry);
  const trail: Trail = { table: null, deleted: null };
  const found: unknown[] = [];
  for (const records of fetches) {
    await schemas.prepare(TOPIC, records, never);
    for (const { batch } of decodeRecords(TOPIC, records, schemas, trail))
      for (const change of batch.changes) if (isRowChange(change)) found.push([change.kind, change.before]);
  }
  return found;
}

const [inserted, deleted, tombstone] = [insert(row, places), remove(row, places), null];

test('a delete and its tombstone are one delete, also in two fetches', async () => {
  const once = [
    ['insert', null],
    ['delete', row],
  ];
  expect(await decoded([record(inserted), record(deleted), record(tombstone)])).toEqual(once);
  expect(await decoded([record(inserted), record(deleted)], [record(tombstone)])).toEqual(once);
});

test('a tombstone whose delete was compacted away deletes the row that was read before (G1)', async () => {
  const both = [
    ['insert', null],
    ['delete', byKey],
  ];
  expect(await decoded([record(inserted), record(tombstone)])).toEqual(both);
  expect(await decoded([record(inserted)], [record(tombstone)])).toEqual(both);
});

test('a tombstone that comes first after a restart deletes by its key', async () => {
  expect(await decoded([record(tombstone)])).toEqual([['delete', byKey]]);
});
