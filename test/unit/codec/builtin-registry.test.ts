import { SchemaRegistryClient } from '@confluentinc/schemaregistry/dist/schemaregistry-client.js';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { valueSchema } from '../../../codec/avro/schema.ts';
import { builtInRegistry } from '../../../codec/registry/builtin.ts';
import { remoteRegistry } from '../../../codec/registry/remote.ts';
import { registryRoutes } from '../../../codec/registry/routes.ts';
import { memoryStore } from './memory-store.ts';
import { column, tableOf } from './tables.ts';

const signal = AbortSignal.timeout(60_000);
const id = column('id', { kind: 'int', bits: 32, unsigned: false }, 'int');
const v1 = valueSchema(tableOf([id]), 'shop.orders');
const added = valueSchema(tableOf([id, column('note', { kind: 'text' }, 'text')]), 'shop.orders');
const narrowed = valueSchema(
  tableOf([id, column('note', { kind: 'int', bits: 32, unsigned: false }, 'int')]),
  'shop.orders',
);
const record = (fields: unknown): string => JSON.stringify({ type: 'record', name: 'R', fields });

describe('the built-in registry', () => {
  test('gives one id to equal schemas, whatever their spacing and order, and keeps it over a restart', async () => {
    const store = memoryStore();
    const registry = await builtInRegistry(store, signal);
    const first = await registry.register('a-value', v1, signal);
    expect(await registry.register('a-value', JSON.stringify(JSON.parse(v1), null, 2), signal)).toBe(first);
    expect(await registry.register('b-value', v1, signal)).toBe(first);
    const again = await builtInRegistry(store, signal);
    expect(await again.schema(first, signal)).toBe(v1);
    expect(await again.latest('b-value', signal)).toMatchObject({ id: first, version: 1 });
    expect(await again.latest('c-value', signal)).toBeNull();
    expect(store.records).toHaveLength(2);
  });

  test('takes added and dropped columns, and refuses a changed type by name and with the way out', async () => {
    const registry = await builtInRegistry(memoryStore(), signal);
    const ids = [await registry.register('s', v1, signal), await registry.register('s', added, signal)];
    expect(new Set(ids).size).toBe(2);
    await expect(registry.register('s', narrowed, signal)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('field before.note is int on one side and string on the other'),
      fix: expect.stringContaining('via.compatibility to NONE'),
    });
    await registry.setLevel('s', 'NONE', signal);
    await registry.register('s', narrowed, signal);
    await registry.setLevel('s', 'BACKWARD_TRANSITIVE', signal);
    await expect(
      registry.register(
        's',
        valueSchema(tableOf([id, column('note', { kind: 'date' }, 'date', true)]), 'shop.orders'),
        signal,
      ),
    ).rejects.toThrow('note');
  });

  test('never gives one id to two schemas, even to two processes at once', async () => {
    const store = memoryStore();
    const [one, two] = [await builtInRegistry(store, signal), await builtInRegistry(store, signal)];
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    const ids = await Promise.all(
      names.map((name, i) =>
        (i % 2 === 0 ? one : two).register('s', record([{ name, type: 'int', default: 0 }]), signal),
      ),
    );
    expect(new Set(ids).size).toBe(20);
    const state = await one.refresh(signal);
    expect(state.versions('s').map(({ version }) => version)).toEqual(names.map((_, i) => i + 1));
    for (const [i, schemaId] of ids.entries()) expect(await two.schema(schemaId, signal)).toContain(`"n${i}"`);
  });
});

describe("Confluent's REST API over it", () => {
  const app = fastify();
  let url = '';
  beforeAll(async () => {
    await app.register(registryRoutes(await builtInRegistry(memoryStore(), signal)), { prefix: '/registry' });
    url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/registry`;
  });
  afterAll(() => app.close());

  const ask = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown; type: string | null }> => {
    const response = await fetch(url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' } }),
    });
    return { status: response.status, body: await response.json(), type: response.headers.get('content-type') };
  };

  test('serves the registry client that most producers and consumers use', async () => {
    const client = new SchemaRegistryClient({ baseURLs: [url], maxRetries: 0 });
    const info = { schema: v1, schemaType: 'AVRO' };
    const schemaId = await client.register('c-value', info);
    expect(await client.getBySubjectAndId('c-value', schemaId)).toMatchObject({ schema: v1 });
    expect(await client.getId('c-value', info)).toBe(schemaId);
    expect(await client.getVersion('c-value', info)).toBe(1);
    expect(await client.getLatestSchemaMetadata('c-value')).toMatchObject({
      id: schemaId,
      version: 1,
      subject: 'c-value',
    });
    expect(await client.getSchemaMetadata('c-value', 1)).toMatchObject({ id: schemaId });
    expect(await client.testSubjectCompatibility('c-value', { schema: added })).toBe(true);
    await client.register('c-value', { schema: added });
    expect(await client.testCompatibility('c-value', 2, { schema: narrowed })).toBe(false);
    expect(await client.getAllVersions('c-value')).toEqual([1, 2]);
    expect(await client.getAllSubjects()).toContain('c-value');
    expect(await client.getDefaultCompatibility()).toBe('BACKWARD');
    await client.updateConfig('c-value', {
      compatibility: (await client.getDefaultConfig()).compatibilityLevel ?? (await client.getDefaultCompatibility()),
    });
    expect(await client.getCompatibility('c-value')).toBe('BACKWARD');
  });

  test("answers with Confluent's error codes", async () => {
    await ask('POST', '/subjects/e-value/versions', { schema: added });
    const refusals: [string, string, unknown, number, number][] = [
      ['GET', '/schemas/ids/99999', undefined, 404, 40403],
      ['GET', '/subjects/none/versions', undefined, 404, 40401],
      ['GET', '/subjects/e-value/versions/9', undefined, 404, 40402],
      ['GET', '/subjects/e-value/versions/x', undefined, 422, 42202],
      ['POST', '/subjects/none', { schema: v1 }, 404, 40401],
      ['POST', '/subjects/e-value', { schema: v1 }, 404, 40403],
      ['POST', '/subjects/e-value/versions', { schema: '{"type":"nothing"}' }, 422, 42201],
      ['POST', '/subjects/e-value/versions', { schema: 'no json' }, 422, 42201],
      ['POST', '/subjects/e-value/versions', { schema: '{}', schemaType: 'PROTOBUF' }, 422, 42201],
      ['POST', '/subjects/e-value/versions', { schema: narrowed }, 409, 409],
      ['POST', '/subjects/e-value/versions', {}, 422, 422],
      ['POST', '/compatibility/subjects/none/versions/latest', { schema: v1 }, 404, 40401],
      ['GET', '/config/e-value', undefined, 404, 40408],
      ['PUT', '/config', { compatibility: 'SOME' }, 422, 42203],
      ['PUT', '/mode', { mode: 'IMPORT' }, 422, 42204],
      ['GET', '/mode/e-value', undefined, 404, 40409],
      ['DELETE', '/subjects/e-value', undefined, 404, 404],
      ['GET', '/nothing', undefined, 404, 404],
    ];
    for (const [method, path, body, status, code] of refusals) {
      const answer = await ask(method, path, body);
      expect({ method, path, status: answer.status, body: answer.body }).toMatchObject({
        method,
        path,
        status,
        body: { error_code: code, message: expect.any(String) },
      });
    }
  });

  test('tells where a schema is used, its raw text, the types and levels it knows', async () => {
    const { body } = await ask('POST', '/subjects/f-value/versions', { schema: v1 });
    const { id: schemaId } = Object(body);
    expect((await ask('GET', `/schemas/ids/${schemaId}/versions`)).body).toContainEqual({
      subject: 'f-value',
      version: 1,
    });
    expect((await ask('GET', `/schemas/ids/${schemaId}/schema`)).body).toEqual(JSON.parse(v1));
    expect((await ask('GET', '/schemas/types')).body).toEqual(['AVRO']);
    expect(await ask('GET', '/')).toMatchObject({
      status: 200,
      body: {},
      type: expect.stringContaining('application/vnd.schemaregistry.v1+json'),
    });
    expect((await ask('GET', '/config/f-value?defaultToGlobal=true')).body).toEqual({ compatibilityLevel: 'BACKWARD' });
    expect((await ask('GET', '/mode')).body).toEqual({ mode: 'READWRITE' });
    const verbose = await ask('POST', '/compatibility/subjects/e-value/versions/latest?verbose=true', {
      schema: narrowed,
    });
    expect(verbose.body).toMatchObject({
      is_compatible: false,
      messages: expect.arrayContaining([expect.stringContaining('note')]),
    });
  });

  test('is a registry to our own client', async () => {
    const registry = remoteRegistry(url);
    const schemaId = await registry.register('g-value', added, signal);
    expect(await registry.schema(schemaId, signal)).toBe(added);
    expect(await registry.latest('g-value', signal)).toEqual({ id: schemaId, schema: added });
    expect(await registry.latest('none', signal)).toBeNull();
    await expect(registry.register('g-value', narrowed, signal)).rejects.toMatchObject({
      code: 'REGISTRY_REFUSED',
      message: expect.stringContaining('before.note'),
    });
    await expect(registry.schema(4711, signal)).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' });
    await registry.close();
  });
});

test('a registry that does not answer is a reason to try again, and its password is not told', async () => {
  const registry = remoteRegistry('http://user:s3cret@127.0.0.1:9/registry');
  const failure: unknown = await registry.register('s', v1, signal).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'REGISTRY_UNREACHABLE',
    verdict: 'retry',
    message: expect.stringContaining('http://127.0.0.1:9/registry'),
  });
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('s3cret');
});

test('of several registries the next one is asked where one does not answer, or cannot now', async () => {
  const app = fastify();
  app.get('/busy/schemas/ids/7', async (_, reply) => reply.status(503).send('later'));
  app.get('/schemas/ids/7', async () => ({ schema: v1 }));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  expect(await remoteRegistry(`http://127.0.0.1:9,${url}/busy,${url}`).schema(7, signal)).toBe(v1);
  await expect(remoteRegistry(`${url}/busy`).schema(7, signal)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
  await app.close();
});

test('an answer that stops in the middle is waited for until the caller gives up', async () => {
  const head = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"schema":', () => head.resolve());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const caller = new AbortController();
  const asked = remoteRegistry(`http://127.0.0.1:${port}`).schema(7, caller.signal);
  asked.catch(() => undefined);
  await head.promise;
  caller.abort(new Error('the caller has had enough'));
  await expect(asked).rejects.toThrow('the caller has had enough');
  server.closeAllConnections();
  server.close();
});

test('what answers and is no registry is told apart from one', async () => {
  const app = fastify();
  app.get('/schemas/ids/7', async (_, reply) => reply.type('text/html').send('<h1>Welcome</h1>'));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  await expect(remoteRegistry(url).schema(7, signal)).rejects.toMatchObject({
    code: 'REGISTRY_REFUSED',
    message: `${url} does not answer as a schema registry does, asking for schema 7`,
  });
  await app.close();
});

test('the user in a registry URL is sent, and only there', async () => {
  const app = fastify();
  const seen: unknown[] = [];
  app.get('/subjects/:subject/versions/latest', async (request, reply) => {
    seen.push(request.headers.authorization);
    return reply.status(401).send({ error_code: 401, message: 'Unauthorized' });
  });
  const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  url.username = 'me';
  url.password = 'p@ss';
  await expect(remoteRegistry(url.href).latest('s', signal)).rejects.toMatchObject({
    code: 'REGISTRY_REFUSED',
    fix: expect.stringContaining('user'),
  });
  expect(seen).toEqual([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]);
  await app.close();
});
