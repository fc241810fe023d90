import { Pool } from 'pg';
import type { Values, Target, Value } from '../../core/contracts.ts';
import { Progress } from '../../core/progress.ts';
import type { ColumnType, TableSchema } from '../../core/table.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { postgres } from '../../sinks/postgres/index.ts';
import type { TargetHarness } from './harness.ts';
import { registerTargetTests } from './target.ts';

/** The server prints its own values: what comes back is what it understood. */
class PostgresHarness implements TargetHarness {
  readonly name = 'postgres';
  readonly hidesParts = true;
  readonly atomic = true;
  #server: Server | null = null;
  #pool: Pool | null = null;

  async start(): Promise<void> {
    this.#server = await startServer('postgres', { fast: true, own: true });
    this.#pool = new Pool({
      connectionString: this.#server.url,
      max: 2,
      options: '-c TimeZone=UTC -c extra_float_digits=1',
    });
  }

  async stop(): Promise<void> {
    await this.#pool?.end();
    await this.#server?.stop();
  }

  open(pipeline: string): Promise<Target> {
    const url = this.#server?.url ?? '';
    return postgres.open({ pipeline, target: 'warehouse', url, metadata: 'lockstep', progress: new Progress() });
  }

  async rows(table: TableSchema): Promise<readonly (readonly unknown[])[]> {
    const columns = table.columns.map(({ name }) => `"${name}"`).join(', ');
    const text = `SELECT ${columns} FROM "${table.database}"."${table.name}"`;
    const result = await this.#pool?.query<unknown[]>({
      text,
      rowMode: 'array',
      types: { getTypeParser: () => String },
    });
    return (result?.rows ?? []).map((row) => row.map((value, i) => shown(table.columns[i]?.type, value)));
  }

  expected(table: TableSchema, row: Values): readonly unknown[] {
    return row.map((value, i) => wanted(table.columns[i]?.type, value));
  }
}

/** What a column prints, in the form of `wanted`. */
function shown(type: ColumnType | undefined, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (type?.kind === 'json') return JSON.parse(value) as unknown;
  if (type?.kind === 'vector') return value.slice(1, -1).split(',').map(Number).map(Math.fround);
  return type?.kind === 'float' || type?.kind === 'double' ? Number(value) : value;
}

type Print = (value: Value, type: ColumnType) => unknown;

/** Where PostgreSQL prints something else than the canonical text. */
const prints: Partial<Record<ColumnType['kind'], Print>> = {
  float: (value) => value,
  double: (value) => value,
  bit: (value, type) =>
    typeof value === 'bigint' && 'length' in type ? value.toString(2).padStart(type.length, '0') : printed(value),
  datetime: (value) => withoutZeros(String(value)),
  timestamp: (value) => `${withoutZeros(String(value))}+00`,
  time: (value) => withoutZeros(String(value)),
  json: (value) => JSON.parse(String(value)) as unknown,
  set: (value) => (value === '' ? '{}' : `{${String(value).split(',').map(element).join(',')}}`),
  geometry: (value) =>
    bytes(value).readUInt32LE(0) === 0 ? `\\x${bytes(value).toString('hex', 4)}` : ewkb(bytes(value)),
  vector: (value) => [...floats(value)],
};

/** What PostgreSQL prints for a canonical value, in the form of `shown`. */
function wanted(type: ColumnType | undefined, value: Value): unknown {
  if (value === null || type === undefined) return null;
  return (prints[type.kind] ?? printed)(value, type);
}

function printed(value: Value): string {
  if (value instanceof Uint8Array) return `\\x${bytes(value).toString('hex')}`;
  return typeof value === 'boolean' ? String(value).slice(0, 1) : String(value);
}

function withoutZeros(time: string): string {
  return time.replace(/\.0*$|(?<=\.\d*[1-9])0+$/, '');
}

function bytes(value: Value): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
}

function floats(value: Value): Float32Array {
  return new Float32Array(new Uint8Array(bytes(value)).buffer);
}

/** Byte order, type with the SRID flag, SRID, and the rest as it was. */
function ewkb(value: Buffer): string {
  const type = Buffer.alloc(4);
  type.writeUInt32LE(value.readUInt32LE(5) + 0x20000000);
  return `\\x01${type.toString('hex')}${value.toString('hex', 0, 4)}${value.toString('hex', 9)}`;
}

/** An array's element, quoted where PostgreSQL quotes it. */
function element(label: string): string {
  const quoted = /[{}",\\\s]/.test(label) || label === '' || /^null$/i.test(label);
  return quoted ? `"${label.replace(/["\\]/g, '\\$&')}"` : label;
}

registerTargetTests(new PostgresHarness());
