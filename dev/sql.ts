/** What can be written into a statement for MySQL or MariaDB. */
export type SqlValue = null | number | bigint | string | Uint8Array | boolean | RawSql;

/** An expression that stands in a statement as it is: `b'101'`, `NOW(3)`. */
export interface RawSql {
  readonly sql: string;
}

const ESCAPES: Readonly<Record<string, string>> = { '\0': '\\0', '\n': '\\n', '\r': '\\r' };

/** A value as a literal, under the default sql_mode. Bytes are written in hex. */
export function literal(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') {
    return `'${value.replaceAll(/[\0\n\r'"\\]/g, (char) => ESCAPES[char] ?? `\\${char}`)}'`;
  }
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString('hex')}'`;
  return typeof value === 'object' ? value.sql : String(value);
}

/** A row as `(a, b, c)`. */
export function tuple(values: readonly SqlValue[]): string {
  return `(${values.map(literal).join()})`;
}

export function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
