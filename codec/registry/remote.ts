import {
  Compatibility,
  SchemaRegistryClient,
  type SchemaMetadata,
} from '@confluentinc/schemaregistry/dist/schemaregistry-client.js';
import { LockstepError } from '../../core/errors.ts';
import { untilAborted } from '../../core/signals.ts';
import { isTlsFailure, trustFix } from '../../core/tls.ts';
import { parseSchema } from '../avro/parse.ts';
import { explainMismatch } from './explain.ts';
import type { Registry } from './registry.ts';

type ClientConfig = ConstructorParameters<typeof SchemaRegistryClient>[0];

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * A Confluent-compatible schema registry by URL (`http://user:password@host:8081`), several separated by commas. The registry itself
 * checks compatibility, at the level that is set there.
 */
export function remoteRegistry(url: string): Registry {
  const { config, shown } = clientConfig(url);
  const client = new SchemaRegistryClient(config);
  const call = async <T>(what: string, signal: AbortSignal, request: () => Promise<T>): Promise<T> => {
    try {
      return await untilAborted(signal, request());
    } catch (error) {
      signal.throwIfAborted();
      throw translate(error, what, shown);
    }
  };
  const latest = async (subject: string, signal: AbortSignal): Promise<Latest | null> => {
    client.clearLatestCaches();
    try {
      return latestOf(await untilAborted(signal, client.getLatestSchemaMetadata(subject)), subject);
    } catch (error) {
      signal.throwIfAborted();
      if (answerOf(error)?.status === 404) return null;
      throw translate(error, `asking for the latest schema of ${subject}`, shown);
    }
  };
  return {
    async register(subject, schemaJson, signal) {
      try {
        return await untilAborted(signal, client.register(subject, { schema: schemaJson, schemaType: 'AVRO' }));
      } catch (error) {
        signal.throwIfAborted();
        if (answerOf(error)?.status !== 409) throw translate(error, `registering a schema for ${subject}`, shown);
        throw incompatible(subject, shown, schemaJson, await latest(subject, signal), error);
      }
    },
    async schema(id, signal) {
      const { schema } = await call(`asking for schema ${id}`, signal, () => client.getBySubjectAndId('', id));
      return schema;
    },
    latest,
    async setLevel(subject, level, signal) {
      const what = `setting the compatibility of ${subject}`;
      await call(what, signal, () => client.updateCompatibility(subject, Compatibility[level]));
    },
    async close() {
      await client.close();
    },
  };
}

interface Latest {
  readonly id: number;
  readonly schema: string;
}

function latestOf(metadata: SchemaMetadata, subject: string): Latest {
  const { id, schema } = metadata;
  if (id === undefined) throw new LockstepError('REGISTRY_REFUSED', `the schema registry gave no id for ${subject}`);
  return { id, schema };
}

function clientConfig(url: string): { config: ClientConfig; shown: string } {
  const urls = url.split(',').map((one) => parseUrl(one.trim()));
  const { username = '', password = '' } = urls.find((one) => one.username !== '') ?? {};
  const baseURLs = urls.map((one) => `${one.origin}${one.pathname.replace(/\/$/, '')}`);
  const userInfo = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const config: ClientConfig = {
    baseURLs,
    maxRetries: 0, // The pipeline's own supervisor tries again.
    createAxiosDefaults: { timeout: REQUEST_TIMEOUT_MS },
    ...(username === '' ? {} : { basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo } }),
  };
  return { config, shown: baseURLs.join(', ') };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new LockstepError('CONFIG_INVALID', 'the URL of the schema registry is not an http(s) URL', {
    fix: 'write it like http://registry:8081',
  });
}

interface Answer {
  readonly status: number;
  readonly code: number;
}

/** What the registry answered, null where nothing did: the client puts `status` and `errorCode` on its errors. */
function answerOf(error: unknown): Answer | null {
  if (typeof error !== 'object' || error === null || !('status' in error) || typeof error.status !== 'number')
    return null;
  return {
    status: error.status,
    code: 'errorCode' in error && typeof error.errorCode === 'number' ? error.errorCode : -1,
  };
}

function translate(error: unknown, what: string, shown: string): LockstepError {
  if (error instanceof LockstepError) return error;
  const answer = answerOf(error);
  if (answer === null) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
    if (isTlsFailure(code)) {
      const message = `TLS with the schema registry ${shown} failed (${code}), ${what}`;
      return new LockstepError('REGISTRY_REFUSED', message, { fix: trustFix });
    }
    const said = code === '' ? '' : ` (${code})`;
    return new LockstepError('REGISTRY_UNREACHABLE', `the schema registry ${shown} does not answer${said}, ${what}`, {
      fix: 'start it, or mend via.schemaRegistry',
    });
  }
  const { status, code } = answer;
  const answered = `the schema registry ${shown} answered ${status}${code > 0 && code !== status ? ` (${code})` : ''}, ${what}`;
  if (status === 408 || status === 429 || status >= 500)
    return new LockstepError('REGISTRY_UNREACHABLE', answered, { fix: "look at the registry's own log" });
  return new LockstepError('REGISTRY_REFUSED', answered, { fix: fixFor(status) });
}

function fixFor(status: number): string {
  if (status === 401 || status === 403)
    return 'put a user with the right to read and write subjects into the URL: http://user:password@host:8081';
  if (status === 404)
    return 'check that the URL is that of the Confluent API (Apicurio: /apis/ccompat/v7) and of the registry the messages were written with';
  return "look at the registry's own log for why";
}

/** `409`: the registry's level forbids the change; which change, only the two schemas say. */
function incompatible(
  subject: string,
  shown: string,
  schema: string,
  latest: Latest | null,
  cause: unknown,
): LockstepError {
  const older = latest === null ? null : parseSchema(latest.schema);
  const newer = parseSchema(schema);
  const backward = older === null ? [] : explainMismatch(newer, older);
  const problems = older === null || backward.length > 0 ? backward : explainMismatch(older, newer);
  const why = problems.length === 0 ? 'it is incompatible with an older one' : problems.join('; ');
  return new LockstepError(
    'REGISTRY_REFUSED',
    `the schema registry ${shown} refused a new schema for ${subject}: ${why}`,
    {
      fix: `if its consumers can live with the change: set via.compatibility to NONE and start again, or PUT ${shown}/config/${subject} {"compatibility": "NONE"}; else undo the change at the source`,
      cause,
    },
  );
}
