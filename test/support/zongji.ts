import ZongJi, { type AnyBinlogEvent, type UpdateRowData } from '@vlasky/zongji';
import type { Value } from '../../core/contracts.ts';
import type { ColumnType } from '../../core/table.ts';

/** A change of a row as another reader of the log gives it: columns by name, values in its own forms. */
export interface OtherChange {
  readonly kind: 'insert' | 'update' | 'delete';
  /** `database.table` */
  readonly origin: string;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

export interface Stretch {
  readonly from: { readonly file: string; readonly offset: number };
  readonly to: { readonly file: string; readonly offset: number };
}

/** Reads the changes of a database's rows in a stretch of the log with `@vlasky/zongji`, which shares no code with Lockstep. */
export async function readWithZongji(url: string, database: string, { from, to }: Stretch): Promise<OtherChange[]> {
  const { hostname, port, username, password } = new URL(url);
  const address = { host: hostname, port: Number(port), user: username, password };
  const zongji = new ZongJi({ ...address, dateStrings: true, jsonStrings: true, timezone: 'Z' });
  const changes: OtherChange[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let file = from.file;
  zongji.on('error', reject);
  zongji.on('binlog', (event) => {
    if (event.getTypeName() === 'Rotate' && 'binlogName' in event) file = event.binlogName;
    else changes.push(...changesOf(event, database));
    if (file === to.file && event.nextPosition >= to.offset) resolve();
  });
  zongji.start({ serverId: 77_123, filename: from.file, position: from.offset });
  try {
    await promise;
  } finally {
    zongji.stop();
  }
  return changes;
}

function changesOf(event: AnyBinlogEvent, database: string): OtherChange[] {
  const name = event.getEventName();
  if (!('rows' in event) || !('tableMap' in event)) return [];
  const table = event.tableMap[event.tableId];
  if (table?.parentSchema !== database) return [];
  const origin = `${database}.${table.tableName}`;
  return event.rows.map((row): OtherChange => {
    if (name === 'writerows') return { kind: 'insert', origin, before: null, after: { ...row } };
    if (name === 'deleterows') return { kind: 'delete', origin, before: { ...row }, after: null };
    const { before, after } = row as UpdateRowData;
    return { kind: 'update', origin, before, after };
  });
}

/** One of our values, or one of the other reader's, as a text that both have for one value of the column. */
export function commonText(type: ColumnType, given: unknown): string | null {
  const value = plain(given);
  if (value === null) return null;
  if (value instanceof Uint8Array) return type.kind === 'bit' ? bits(value) : Buffer.from(value).toString('hex');
  switch (type.kind) {
    case 'json':
      return JSON.stringify(JSON.parse(String(value)));
    case 'float':
      return String(Math.fround(Number(value)));
    case 'bit':
      return String(BigInt(value));
    case 'year':
      // The other one has 1900 for the year 0.
      return value === 1900 ? '0' : String(value);
    default:
      return String(value);
  }
}

/** Fails where the other reader gives something that no value is. */
function plain(value: unknown): Value {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      throw new Error(`a value that is ${typeof value}`);
  }
}

function bits(bytes: Uint8Array): string {
  return String(BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}
