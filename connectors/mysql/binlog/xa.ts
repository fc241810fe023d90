/** The name of an XA transaction as the log's statements print it: `X'67',X'62',1`. */
export function formatXid(global: Buffer, branch: Buffer, format: number): string {
  return `X'${global.toString('hex')}',X'${branch.toString('hex')}',${format}`;
}

/** Reads the name of an XA transaction as MariaDB's `XA RECOVER FORMAT='SQL'` prints it: `X'67',X'62',1`, or `'g'` where it can be printed. */
export function readRecoveredXid(printed: string, format: number): string {
  const [global, branch] = [...printed.matchAll(/(X?)'([^']*)'/gi)].map(([, hex, text = '']) =>
    Buffer.from(text, hex === '' ? 'latin1' : 'hex'),
  );
  return formatXid(global ?? Buffer.alloc(0), branch ?? Buffer.alloc(0), format);
}

/** What a statement of the log does to an XA transaction; null where it is not understood. */
export type XaStatement =
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'commit' | 'rollback'; readonly xid: string };

/** Reads `XA START …`, `XA END …`, `XA COMMIT X'67',X'62',1` and `XA ROLLBACK …` as servers log them. */
export function readXa(statement: string): XaStatement | null {
  const parts =
    /^\s*XA\s+(START|BEGIN|END|COMMIT|ROLLBACK)\s+X'([0-9a-f]*)'\s*,\s*X'([0-9a-f]*)'\s*,\s*(-?\d+)\s*$/i.exec(
      statement,
    );
  if (parts === null) return null;
  const [, verb = '', global = '', branch = '', format = ''] = parts;
  const xid = `X'${global.toLowerCase()}',X'${branch.toLowerCase()}',${format}`;
  switch (verb.toUpperCase()) {
    case 'START':
    case 'BEGIN':
      return { kind: 'start' };
    case 'END':
      return { kind: 'end' };
    default:
      return { kind: verb.toUpperCase() === 'COMMIT' ? 'commit' : 'rollback', xid };
  }
}
