import { Binary, Decimal128, Double, Int32, Long, MongoClient } from 'mongodb';
import type { Values, Target, Value } from '../../core/contracts.ts';
import { Progress } from '../../core/progress.ts';
import type { ColumnType, TableSchema } from '../../core/table.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { mongodb } from '../../sinks/mongodb/index.ts';
import type { TargetHarness } from './harness.ts';
import { registerTargetTests } from './target.ts';

/** Reads with the driver's own types, so that an Int32 is told from a Long and 1 from 1.0. */
class MongoHarness implements TargetHarness {
  readonly name = 'mongodb';
  readonly hidesParts = false;
  readonly atomic = true;
  #server: Server | null = null;
  #client: MongoClient | null = null;

  async start(): Promise<void> {
    this.#server = await startServer('mongodb', { fast: true, own: true });
    this.#client = await MongoClient.connect(this.#server.url);
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    await this.#server?.stop();
  }

  open(pipeline: string): Promise<Target> {
    const url = this.#server?.url ?? '';
    return mongodb.open({ pipeline, target: 'catalog', url, metadata: 'lockstep', progress: new Progress() });
  }

  async rows(table: TableSchema): Promise<readonly (readonly unknown[])[]> {
    const collection = this.#client?.db(table.database).collection(table.name);
    const options = { promoteValues: false, promoteLongs: false, promoteBuffers: false };
    const documents = (await collection?.find({}, options).toArray()) ?? [];
    const names = ['_id', ...table.columns.map(({ name }) => name)];
    return documents.map((document) => names.map((name) => shown(document[name])));
  }

  expected(table: TableSchema, row: Values): readonly unknown[] {
    const values = row.map((value, i) => wanted(table.columns[i]?.type, value));
    const key = table.key.map((i) => [table.columns[i]?.name, values[i]] as const);
    return [key.length === 1 ? key[0]?.[1] : Object.fromEntries(key), ...values];
  }
}

/** A BSON value as its type and text. */
function shown(value: unknown): unknown {
  if (value === null || value === undefined) return value;
  if (value instanceof Int32) return `int ${String(value.value)}`;
  if (value instanceof Long) return `long ${value.toString()}`;
  if (value instanceof Double) return printedDouble(value.value);
  if (value instanceof Decimal128) return `decimal ${value.toString()}`;
  if (value instanceof Binary) return `binary ${String(value.sub_type)} ${value.toString('hex')}`;
  if (value instanceof Date) return `date ${value.toISOString()}`;
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === 'string' || typeof value === 'boolean') return `${typeof value} ${String(value)}`;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shown(field)]));
}

function printedDouble(value: number): string {
  return `double ${Object.is(value, -0) ? '-0' : String(value)}`;
}

type Print = (value: Value, type: ColumnType) => unknown;
const maxLong = 2n ** 63n - 1n;
const integer: Print = (value) =>
  `${typeof value === 'bigint' && value > maxLong ? 'decimal' : 'long'} ${String(value)}`;
const double: Print = (value) => printedDouble(Number(value));
const moment: Print = (value, type) => {
  const text = String(value).replace(' ', 'T');
  const zone = type.kind === 'timestamp' ? 'Z' : '';
  return 'digits' in type && type.digits > 3 ? `string ${text}${zone}` : `date ${new Date(`${text}Z`).toISOString()}`;
};

const prints: Partial<Record<ColumnType['kind'], Print>> = {
  int: (value, type) => `${'bits' in type && type.unsigned && type.bits === 32 ? 'long' : 'int'} ${String(value)}`,
  year: (value) => `int ${String(value)}`,
  bigint: integer,
  bit: (value, type) => (typeof value === 'boolean' ? `boolean ${String(value)}` : integer(value, type)),
  float: double,
  double,
  decimal: (value, type) => `${'precision' in type && type.precision > 34 ? 'string' : 'decimal'} ${String(value)}`,
  date: (value) => `date ${String(value)}T00:00:00.000Z`,
  datetime: moment,
  timestamp: moment,
  set: (value) =>
    value === ''
      ? []
      : String(value)
          .split(',')
          .map((label) => `string ${label}`),
  json: (value) => jsonExpected.get(String(value)),
  geometry: (value) => pointExpected(bytes(value)),
  vector: (value) => [...new Float32Array(new Uint8Array(bytes(value)).buffer)].map(printedDouble),
  uuid: (value) => `binary 4 ${String(value).replaceAll('-', '')}`,
};

/** By hand, for the texts of the suite. */
const jsonExpected = new Map<string, unknown>([
  ['null', null],
  ['true', 'boolean true'],
  ['"text \\" \\\\ \\n ž"', 'string text " \\ \n ž'],
  ['[]', []],
  ['{}', {}],
  [
    '{"a": 1, "b": [1.5, null, "\\t"], "c": {"d": -0.001}}',
    { a: 'int 1', b: ['double 1.5', null, 'string \t'], c: { d: 'double -0.001' } },
  ],
  ['12345678901234567890', 'decimal 12345678901234567890'],
  ['""', 'string '],
]);

function pointExpected(value: Buffer): unknown {
  return {
    type: 'string Point',
    coordinates: [printedDouble(value.readDoubleLE(9)), printedDouble(value.readDoubleLE(17))],
  };
}

function wanted(type: ColumnType | undefined, value: Value): unknown {
  if (value === null || type === undefined) return null;
  return (prints[type.kind] ?? printed)(value, type);
}

function printed(value: Value): string {
  return value instanceof Uint8Array ? `binary 0 ${bytes(value).toString('hex')}` : `${typeof value} ${String(value)}`;
}

function bytes(value: Value): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
}

registerTargetTests(new MongoHarness());
