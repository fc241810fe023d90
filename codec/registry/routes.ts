import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DEFAULT_LEVEL, type BuiltInRegistry } from './builtin.ts';
import { schemaProblem } from './compatibility.ts';
import { LEVELS } from './levels.ts';
import { noSchema, noSubject, noVersion, problemOf, Refusal, refuse } from './refusal.ts';
import type { RegistryState, Version } from './state.ts';

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const STORE_TIMEOUT_MS = 10_000;

/**
 * Confluent's REST API over the built-in registry, as a Fastify plug-in: `app.register(registryRoutes(registry), { prefix: '/registry' })`.
 * What it does not offer (deleting, modes other than READWRITE, schemas other than Avro, references) it refuses with Confluent's error codes.
 * Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export function registryRoutes(registry: BuiltInRegistry): (app: FastifyInstance) => Promise<void> {
  return async (app) => {
    app.addContentTypeParser(
      /^application\/(?:vnd\.schemaregistry(?:\.v1)?\+json|octet-stream)/,
      { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
      parseBody,
    );
    app.setNotFoundHandler(
      (request, reply) =>
        void refuse(reply, {
          status: 404,
          code: 404,
          message: `HTTP 404 Not Found: ${request.method} ${request.url.split('?')[0]}`,
        }),
    );
    app.setErrorHandler((error, _, reply) => void refuse(reply, problemOf(error)));
    app.addHook('onSend', async (_, reply) => void reply.type(MEDIA_TYPE));
    app.get('/', async () => ({}));
    app.get('/schemas/types', async () => ['AVRO']);
    readRoutes(app, registry);
    writeRoutes(app, registry);
    configRoutes(app, registry);
  };
}

async function parseBody(_: FastifyRequest, body: string | Buffer): Promise<unknown> {
  return body.length === 0 ? {} : JSON.parse(String(body));
}

const withSubject = z.object({ subject: z.string() });
const withVersion = z.object({ subject: z.string(), version: z.string() });
const withId = z.object({ id: z.string() });
const schemaBody = z.object({
  schema: z.string(),
  schemaType: z.string().optional(),
  references: z.array(z.unknown()).nullish(),
});

/** The schema in a request's body. 42201 where it is not Avro. */
function schemaIn(request: FastifyRequest): string {
  const { schema, schemaType = 'AVRO', references } = schemaBody.parse(request.body);
  if (schemaType !== 'AVRO')
    throw new Refusal(422, 42201, `Invalid schema type ${schemaType}: this registry keeps AVRO`);
  if ((references ?? []).length > 0) throw new Refusal(422, 42201, 'Invalid schema: this registry keeps no references');
  const problem = schemaProblem(schema);
  if (problem !== null) throw new Refusal(422, 42201, `Invalid schema: ${problem}`);
  return schema;
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(STORE_TIMEOUT_MS);
}

function versionsOf(state: RegistryState, subject: string): readonly Version[] {
  const versions = state.versions(subject);
  if (versions.length === 0) throw noSubject(subject);
  return versions;
}

/** A version by number, or the newest by `latest` or `-1`. 40401, 40402, 42202. */
function versionOf(state: RegistryState, subject: string, wanted: string): Version {
  const versions = versionsOf(state, subject);
  const newest = wanted === 'latest' || wanted === '-1';
  if (!newest && !/^[1-9]\d{0,9}$/.test(wanted)) {
    throw new Refusal(
      422,
      42202,
      `The specified version '${wanted}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
    );
  }
  const version = newest ? versions.at(-1) : versions.find((one) => String(one.version) === wanted);
  if (version === undefined) throw noVersion(wanted);
  return version;
}

function readRoutes(app: FastifyInstance, registry: BuiltInRegistry): void {
  const schemaOf = async (request: FastifyRequest): Promise<{ id: number; schema: string }> => {
    const id = Number(withId.parse(request.params).id);
    const schema = registry.state.schema(id) ?? (await registry.refresh(deadline())).schema(id);
    if (schema === null) throw noSchema();
    return { id, schema };
  };
  app.get('/schemas/ids/:id', async (request) => ({ schema: (await schemaOf(request)).schema }));
  app.get('/schemas/ids/:id/schema', async (request): Promise<unknown> => JSON.parse((await schemaOf(request)).schema));
  app.get('/schemas/ids/:id/versions', async (request) => {
    const { id } = await schemaOf(request);
    return (await registry.refresh(deadline())).uses(id).map(({ subject, version }) => ({ subject, version }));
  });
  app.get('/schemas/ids/:id/subjects', async (request) => {
    const { id } = await schemaOf(request);
    return (await registry.refresh(deadline())).uses(id).map(({ subject }) => subject);
  });
  app.get('/subjects', async (request) => {
    const { subjectPrefix = '' } = z.object({ subjectPrefix: z.string().optional() }).parse(request.query);
    return (await registry.refresh(deadline())).subjects().filter((subject) => subject.startsWith(subjectPrefix));
  });
  app.get('/subjects/:subject/versions', async (request) => {
    const { subject } = withSubject.parse(request.params);
    return versionsOf(await registry.refresh(deadline()), subject).map(({ version }) => version);
  });
  app.get('/subjects/:subject/versions/:version', async (request) => {
    const { subject, version } = withVersion.parse(request.params);
    return versionOf(await registry.refresh(deadline()), subject, version);
  });
  app.get('/subjects/:subject/versions/:version/schema', async (request): Promise<unknown> => {
    const { subject, version } = withVersion.parse(request.params);
    return JSON.parse(versionOf(await registry.refresh(deadline()), subject, version).schema);
  });
}

function writeRoutes(app: FastifyInstance, registry: BuiltInRegistry): void {
  app.post('/subjects/:subject', async (request) => {
    const { subject } = withSubject.parse(request.params);
    const schema = schemaIn(request);
    const state = await registry.refresh(deadline());
    versionsOf(state, subject);
    const version = state.lookUp(subject, schema);
    if (version === null) throw noSchema();
    return version;
  });
  app.post('/subjects/:subject/versions', async (request) => {
    const { subject } = withSubject.parse(request.params);
    const result = await registry.tryRegister(subject, schemaIn(request), deadline());
    if (result.outcome === 'registered') return { id: result.id };
    if (result.outcome === 'invalid') throw new Refusal(422, 42201, `Invalid schema: ${result.problem}`);
    throw new Refusal(
      409,
      409,
      `Schema being registered is incompatible with an earlier schema for subject "${subject}": ${result.problems.join('; ')}`,
    );
  });
  const compatibility = (
    request: FastifyRequest,
    subject: string,
    older: readonly Version[],
  ): { is_compatible: boolean; messages?: readonly string[] } => {
    const { verbose } = z.object({ verbose: z.string().optional() }).parse(request.query);
    const messages = registry.problems(subject, schemaIn(request), older);
    return { is_compatible: messages.length === 0, ...(verbose === 'true' ? { messages } : {}) };
  };
  app.post('/compatibility/subjects/:subject/versions/:version', async (request) => {
    const { subject, version } = withVersion.parse(request.params);
    return compatibility(request, subject, [versionOf(await registry.refresh(deadline()), subject, version)]);
  });
  app.post('/compatibility/subjects/:subject/versions', async (request) => {
    const { subject } = withSubject.parse(request.params);
    return compatibility(request, subject, (await registry.refresh(deadline())).versions(subject));
  });
}

const asksGlobal = z.object({ defaultToGlobal: z.string().optional() });

function configRoutes(app: FastifyInstance, registry: BuiltInRegistry): void {
  const setLevel = async (request: FastifyRequest, subject: string | null): Promise<{ compatibility: string }> => {
    const level = LEVELS.find(
      (one) => one === z.object({ compatibility: z.string() }).parse(request.body).compatibility.toUpperCase(),
    );
    if (level === undefined)
      throw new Refusal(422, 42203, `Invalid compatibility level. Valid values are ${LEVELS.join(', ')}`);
    await registry.setLevel(subject, level, deadline());
    return { compatibility: level };
  };
  const setMode = async (request: FastifyRequest): Promise<{ mode: string }> => {
    const { mode } = z.object({ mode: z.string() }).parse(request.body);
    if (mode !== 'READWRITE') throw new Refusal(422, 42204, 'Invalid mode: this registry is READWRITE only');
    return { mode };
  };
  app.get('/config', async () => ({
    compatibilityLevel: (await registry.refresh(deadline())).level(null) ?? DEFAULT_LEVEL,
  }));
  app.put('/config', (request) => setLevel(request, null));
  app.get('/config/:subject', async (request) => {
    const { subject } = withSubject.parse(request.params);
    const { defaultToGlobal } = asksGlobal.parse(request.query);
    const state = await registry.refresh(deadline());
    const level = state.level(subject) ?? (defaultToGlobal === 'true' ? (state.level(null) ?? DEFAULT_LEVEL) : null);
    if (level === null)
      throw new Refusal(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`);
    return { compatibilityLevel: level };
  });
  app.put('/config/:subject', (request) => setLevel(request, withSubject.parse(request.params).subject));
  app.get('/mode', async () => ({ mode: 'READWRITE' }));
  app.put('/mode', setMode);
  app.get('/mode/:subject', async (request) => {
    const { subject } = withSubject.parse(request.params);
    if (asksGlobal.parse(request.query).defaultToGlobal === 'true') return { mode: 'READWRITE' };
    throw new Refusal(404, 40409, `Subject '${subject}' does not have subject-level mode configured`);
  });
  app.put('/mode/:subject', setMode);
}
