import { once } from 'node:events';
import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { text as readText } from 'node:stream/consumers';
import { z } from 'zod';
import { LockstepError } from '../../core/errors.ts';
import { isTlsFailure, trustFix } from '../../core/tls.ts';
import { parseSchema } from '../avro/parse.ts';
import { explainMismatch } from './explain.ts';
import type { Registry } from './registry.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/**
 * A Confluent-compatible schema registry by URL (`http://user:password@host:8081`), several separated by commas: the first that answers is asked. The
 * registry itself checks compatibility, at the level that is set there.
 * Source: https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export function remoteRegistry(url: string): Registry {
  const places = placesOf(url);
  const latest: Registry['latest'] = async (subject, signal) => {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/latest`;
    const answer = await ask(places, { path, what: `asking for the latest schema of ${subject}` }, signal);
    return answer.status === 404 ? null : contentsOf(answer, z.object({ id: z.int(), schema: z.string() }));
  };
  return {
    async register(subject, schemaJson, signal) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions`;
      const body = { schema: schemaJson, schemaType: 'AVRO' };
      const what = `registering a schema for ${subject}`;
      const answer = await ask(places, { method: 'POST', path, body, what }, signal);
      if (answer.status === 409) throw incompatible(subject, places.shown, schemaJson, await latest(subject, signal));
      return contentsOf(answer, z.object({ id: z.int() })).id;
    },
    async schema(id, signal) {
      const answer = await ask(places, { path: `/schemas/ids/${id}`, what: `asking for schema ${id}` }, signal);
      return contentsOf(answer, z.object({ schema: z.string() })).schema;
    },
    latest,
    async setLevel(subject, level, signal) {
      const path = `/config/${encodeURIComponent(subject)}`;
      const what = `setting the compatibility of ${subject}`;
      const answer = await ask(places, { method: 'PUT', path, body: { compatibility: level }, what }, signal);
      contentsOf(answer, z.unknown());
    },
    close: () => Promise.resolve(),
  };
}

interface Places {
  readonly urls: readonly string[];
  readonly authorization: string | null;
  /** The URLs without what is secret, for messages. */
  readonly shown: string;
}

function placesOf(url: string): Places {
  const parsed = url.split(',').map((one) => parseUrl(one.trim()));
  const { username = '', password = '' } = parsed.find((one) => one.username !== '') ?? {};
  const urls = parsed.map((one) => `${one.origin}${one.pathname.replace(/\/$/, '')}`);
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = username === '' ? null : `Basic ${Buffer.from(user).toString('base64')}`;
  return { urls, authorization, shown: urls.join(', ') };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new LockstepError('CONFIG_INVALID', 'the URL of the schema registry is not an http(s) URL', {
    fix: 'write it like http://registry:8081',
  });
}

interface Request {
  /** Default: `GET`. */
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: object;
  /** For messages: what is being done. */
  readonly what: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly url: string;
  readonly what: string;
}

/** Asks one registry after the other until one answers. Errors: REGISTRY_UNREACHABLE; REGISTRY_REFUSED where TLS fails. */
async function ask(places: Places, request: Request, signal: AbortSignal): Promise<Answer> {
  const failures: LockstepError[] = [];
  for (const url of places.urls) {
    try {
      return await askOne(url, places.authorization, request, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LockstepError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
      failures.push(error);
    }
  }
  throw failures[0] ?? new LockstepError('BUG', 'a schema registry without a URL');
}

async function askOne(
  url: string,
  authorization: string | null,
  { method = 'GET', path, body, what }: Request,
  signal: AbortSignal,
): Promise<Answer> {
  const headers = { 'content-type': MEDIA_TYPE, ...(authorization === null ? {} : { authorization }) };
  const options = { method, headers, signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]) };
  const { status, text } = await exchange(`${url}${path}`, options, body).catch((error: unknown) => {
    throw unanswered(error, url, what);
  });
  const answer = { status, text, url, what };
  if (isBusy(answer.status)) throw refused(answer);
  return answer;
}

/** Node's `fetch` would do the same, for 16 MB more of memory and 80 ms at the start. */
async function exchange(
  url: string,
  options: RequestOptions,
  body: object | undefined,
): Promise<{ readonly status: number; readonly text: string }> {
  const sent = (url.startsWith('https:') ? https : http).request(url, options);
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await answered;
  return { status: response.statusCode ?? 0, text: await readText(response) };
}

function isBusy(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** What an answer holds. Errors: REGISTRY_REFUSED where it is a refusal, or not what a registry answers. */
function contentsOf<T>(answer: Answer, shape: z.ZodType<T>): T {
  if (answer.status >= 300) throw refused(answer);
  const contents = shape.safeParse(jsonOf(answer.text));
  if (contents.success) return contents.data;
  const { url, what } = answer;
  throw new LockstepError('REGISTRY_REFUSED', `${url} does not answer as a schema registry does, ${what}`, {
    fix: fixFor(404),
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function unanswered(error: unknown, url: string, what: string): LockstepError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (isTlsFailure(code)) {
    const message = `TLS with the schema registry ${url} failed (${code}), ${what}`;
    return new LockstepError('REGISTRY_REFUSED', message, { fix: trustFix });
  }
  const within = ` within ${REQUEST_TIMEOUT_MS / 1000} s`;
  const said = code === '' ? '' : code === 'ABORT_ERR' ? within : ` (${code})`;
  return new LockstepError('REGISTRY_UNREACHABLE', `the schema registry ${url} does not answer${said}, ${what}`, {
    fix: 'start it, or mend via.schemaRegistry',
  });
}

function refused({ status, text, url, what }: Answer): LockstepError {
  const said = z.object({ error_code: z.number() }).safeParse(jsonOf(text)).data?.error_code ?? status;
  const answered = `the schema registry ${url} answered ${status}${said === status ? '' : ` (${said})`}, ${what}`;
  if (isBusy(status))
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
  latest: { readonly schema: string } | null,
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
    },
  );
}
