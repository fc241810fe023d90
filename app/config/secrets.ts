import { readFileSync } from 'node:fs';

const PLACEHOLDER = /\$\{([^}]*)\}/g;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A text with its `${…}` filled in, what was filled in, and what could not be. */
export interface Resolved {
  readonly text: string;
  readonly secrets: readonly string[];
  readonly problems: readonly { readonly message: string; readonly missing: boolean }[];
}

/**
 * Fills in `${NAME}` from the environment and `${file:/path}` from a file (without its last newline). Where user and password stand in
 * a URL the value is percent-encoded, so that a secret may hold any character; elsewhere it is taken as it is.
 */
export function resolveSecrets(text: string, env: Readonly<Record<string, string | undefined>>): Resolved {
  const secrets: string[] = [];
  const problems: { message: string; missing: boolean }[] = [];
  const end = endOfCredentials(text);
  const resolved = text.replaceAll(PLACEHOLDER, (whole: string, name: string, at: number) => {
    const found = lookUp(name, env);
    if (typeof found !== 'string') {
      problems.push(found);
      return whole;
    }
    secrets.push(found);
    return at < end ? encodeURIComponent(found) : found;
  });
  return { text: resolved, secrets, problems };
}

/** Where the part `user:password@` of a URL ends; 0 where user and password do not stand apart, as in `${CREDENTIALS}@host`. */
function endOfCredentials(text: string): number {
  const at = text.lastIndexOf('@');
  const credentials = /^[a-z][a-z0-9+]*:\/\/(.*)$/s.exec(text.slice(0, Math.max(0, at)))?.[1];
  return credentials?.replaceAll(PLACEHOLDER, '').includes(':') === true ? at : 0;
}

function lookUp(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): string | { message: string; missing: boolean } {
  if (name.startsWith('file:')) return readSecret(name.slice('file:'.length));
  if (!VARIABLE.test(name)) {
    return { message: 'a `${…}` is not understood; write ${NAME} or ${file:/path}', missing: false };
  }
  return env[name] ?? { message: `the environment variable ${name} is not set`, missing: true };
}

function readSecret(path: string): string | { message: string; missing: boolean } {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return { message: `the secret file ${path} cannot be read (${code})`, missing: true };
  }
}
