import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileDecoder, schemaIdOf } from '../../../codec/avro/decode.ts';
import { compileEncoder } from '../../../codec/avro/encode.ts';
import { keySchema, markerKeySchema, valueSchema } from '../../../codec/avro/schema.ts';
import { tableFromSchema } from '../../../codec/avro/table.ts';
import { AvroWriter } from '../../../codec/avro/writer.ts';
import { remoteRegistry } from '../../../codec/registry/remote.ts';
import { startServer, type Server } from '../../../dev/servers/index.ts';
import { column, samples, tableOf } from './tables.ts';

const signal = AbortSignal.timeout(240_000);
let server: Server;
beforeAll(async () => {
  server = await startServer('registry');
});
afterAll(() => server.stop());

const topic = `t${process.pid}.shop.orders`;
const at = { committedAtMs: 1, gtid: null, file: 'f', offset: 4, serverId: 1 };

test('schemas of every column type are kept by a real registry, and rows read back with what it gives', async () => {
  const registry = remoteRegistry(server.url);
  const table = tableOf(samples.map(({ type, declared }, i) => column(`c ${i}`, type, declared, i > 0)));
  const value = valueSchema(table, topic);
  const key = keySchema(table, topic) ?? '';
  const ids = {
    key: await registry.register(`${topic}-key`, key, signal),
    value: await registry.register(`${topic}-value`, value, signal),
  };
  expect(await registry.register(`${topic}-value`, value, signal)).toBe(ids.value);
  expect(await registry.register(`${topic}-marker`, markerKeySchema(), signal)).toBeGreaterThan(0);

  const writer = new AvroWriter();
  const row = [1, ...samples.slice(1).map(() => null)];
  compileEncoder(table, topic, { ids, name: 'shop' }).value(
    { kind: 'insert', table, before: null, after: row, at },
    writer,
    1,
  );
  const message = writer.buffer.subarray(0, writer.length);
  const written = await remoteRegistry(server.url).schema(schemaIdOf(message) ?? 0, signal);
  const latest = await registry.latest(`${topic}-value`, signal);
  expect(JSON.parse(latest?.schema ?? '')).toEqual(JSON.parse(value));
  expect(tableFromSchema(written, key)).toEqual(table);
  expect(compileDecoder(written, table).decode(message).after).toEqual(row);
});

test('a real registry refuses a changed type, and the message names the field', async () => {
  const registry = remoteRegistry(server.url);
  const subject = `${topic}-changed-value`;
  const id = column('id', { kind: 'int', bits: 32, unsigned: false }, 'int');
  await registry.register(subject, valueSchema(tableOf([id, column('n', { kind: 'text' }, 'text')]), topic), signal);
  await fetch(`${server.url}/config/${subject}`, {
    method: 'PUT',
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
    headers: { 'content-type': 'application/json' },
  });
  await registry.register(subject, valueSchema(tableOf([id]), topic), signal);
  await registry.register(
    subject,
    valueSchema(tableOf([id, column('x', { kind: 'datetime', digits: 6 }, 'datetime(6)')]), topic),
    signal,
  );
  await expect(
    registry.register(subject, valueSchema(tableOf([id, column('x', { kind: 'text' }, 'text')]), topic), signal),
  ).rejects.toMatchObject({
    code: 'REGISTRY_REFUSED',
    message: expect.stringContaining('field before.x is string on one side and long on the other'),
  });
  expect(await registry.latest(`${topic}-none`, signal)).toBeNull();
  await expect(registry.schema(987_654, signal)).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' });
});
