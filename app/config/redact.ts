const SECRET_PARAMETER = /([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*/gi;

/**
 * A URL that may be shown to anybody (G12): without user and password, and with the values of secret parameters hidden. Works on
 * malformed URLs too, and hides too much rather than too little: a password may hold any character, `@` and `/` included.
 */
export function redact(url: string): string {
  const start = url.indexOf('://');
  const at = url.lastIndexOf('@');
  const bare = start >= 0 && at > start ? url.slice(0, start + 3) + url.slice(at + 1) : url;
  return bare.replace(SECRET_PARAMETER, '$1…');
}

/** An end of a pipeline in two words for people: `mysql db1:3306`, `postgres pg1/shop`. */
export function describeUrl(url: string): string {
  const bare = redact(url);
  const [scheme = '', rest = ''] = bare.split('://', 2);
  return `${scheme} ${rest.split('?', 1)[0]?.replace(/\/$/, '') ?? ''}`;
}

/** The passwords in a URL, as written and decoded. */
export function passwordsOf(url: string): string[] {
  const match = /:\/\/[^:@/]*:(.*)@/.exec(url)?.[1];
  if (match === undefined || match === '') return [];
  try {
    return [match, decodeURIComponent(match)];
  } catch {
    return [match];
  }
}

/** Hides the given secrets in a text that others wrote, such as the stack of an error we do not know. Very short ones would hide everything. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret.length >= 4) clean = clean.replaceAll(secret, '…');
  return clean;
}
