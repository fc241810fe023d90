import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { LockstepError } from '../../core/errors.ts';
import { problemsOf } from './problems.ts';
import { passwordsOf } from './redact.ts';
import { configSchema, type Settings } from './schema.ts';
import { resolveSecrets } from './secrets.ts';
import { placeOf, syntaxMistakes, type Mistake } from './places.ts';

/** A configuration as the rest of the app uses it. */
export interface Config extends Settings {
  /** The file as it was named on the command line, for messages. */
  readonly file: string;
  /** The folder that relative paths in the file start from. */
  readonly baseDir: string;
  /** Everything that must never be shown (G12). */
  readonly secrets: readonly string[];
}

/**
 * Reads and checks a configuration file. Throws CONFIG_UNREADABLE, CONFIG_SECRET_MISSING, or CONFIG_INVALID with every mistake that
 * was found, each as `file:line:column`.
 */
export async function loadConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Config> {
  return await parseConfig(file, await readConfig(file), env);
}

/** As `loadConfig`, for a text that has been read. */
export async function parseConfig(
  file: string,
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Config> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  refuse(file, syntaxMistakes(document, lines, text));
  const { secrets, mistakes } = fillIn(document, lines, env);
  const content: unknown = document.toJS();
  const schema = configSchema(await transformItem(content));
  const parsed = schema.safeParse(content);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error.issues, () => jsonSchema(schema));
    const placed = problems.map((problem) => placeOf(problem, document, lines));
    // A value that lacks its secret is judged when it has it.
    mistakes.push(
      ...placed.filter(({ line, col }) => !mistakes.some((known) => known.line === line && known.col === col)),
    );
  }
  refuse(file, mistakes);
  const settings = schema.parse(content);
  const { url, copy } = settings.source;
  const urls = [url, ...copy.backOff.replicas, ...Object.values(settings.targets).map((target) => target.url)];
  const registry = settings.via?.schemaRegistry ?? null;
  if (registry !== null) urls.push(registry);
  const passwords = [...urls.flatMap(passwordsOf), settings.via?.sasl?.password ?? ''];
  const hidden = [...new Set([...secrets, ...passwords])].filter((secret) => secret !== '');
  return { ...settings, file, baseDir: dirname(resolve(file)), secrets: hidden };
}

/** The JSON Schema of the configuration file, for editors. */
export async function configJsonSchema(): Promise<object> {
  const { transformSchema } = await import('../../transforms/registry.ts');
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Lockstep configuration',
    ...jsonSchema(configSchema(transformSchema)),
  };
}

function jsonSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const why =
      { ENOENT: 'there is no such file', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code] ?? code;
    throw new LockstepError('CONFIG_UNREADABLE', `${file} cannot be read: ${why}`, {
      fix: 'name the configuration file, for example: lockstep run shop.yaml',
      cause: error,
    });
  }
}

/** The schema of a transform; where none is configured a stand-in, so that nothing is loaded for it. */
async function transformItem(content: unknown): Promise<z.ZodType> {
  const asked = JSON.stringify(content).includes('"transforms":');
  return asked ? (await import('../../transforms/registry.ts')).transformSchema : z.unknown();
}

/** Replaces `${…}` in every text of the document. */
function fillIn(
  document: Document,
  lines: LineCounter,
  env: Readonly<Record<string, string | undefined>>,
): { secrets: string[]; mistakes: Mistake[] } {
  const secrets: string[] = [];
  const mistakes: Mistake[] = [];
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || !isScalar(node) || typeof node.value !== 'string') return;
      const resolved = resolveSecrets(node.value, env);
      node.value = resolved.text;
      secrets.push(...resolved.secrets);
      const place = lines.linePos(node.range?.[0] ?? 0);
      for (const { message, missing } of resolved.problems) mistakes.push({ ...place, message, missing });
    },
  });
  return { secrets, mistakes };
}

function refuse(file: string, mistakes: readonly Mistake[]): void {
  if (mistakes.length === 0) return;
  const sorted = mistakes.toSorted((a, b) => a.line - b.line || a.col - b.col);
  const list = sorted.map(({ line, col, message }) => `${file}:${line}:${col}  ${message}`);
  const count = list.length === 1 ? list[0] : `${file} has ${list.length} mistakes:\n  ${list.join('\n  ')}`;
  const missing = mistakes.every((mistake) => mistake.missing);
  throw new LockstepError(missing ? 'CONFIG_SECRET_MISSING' : 'CONFIG_INVALID', count ?? '', {
    fix: missing ? 'set it where lockstep is started, or write the secret into the named file' : 'see docs/config.md',
  });
}
