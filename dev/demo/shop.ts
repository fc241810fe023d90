import { createConnection, type Connection } from 'mysql2/promise';
import { seeded, type Random } from '../random.ts';
import { literal, tuple, type SqlValue } from '../sql.ts';
import { SHOP_SCHEMA } from './schema.ts';
import * as values from './values.ts';

export const SHOP_DATABASE = 'shop';
export const WAREHOUSES = 4;

export interface ShopSize {
  readonly customers: number;
  readonly products: number;
  readonly orders: number;
  readonly events: number;
}

/** A shop of about that many rows in all tables together. */
export function shopSize(rows: number): ShopSize {
  const share = (part: number): number => Math.max(1, Math.round(rows * part));
  return { customers: share(0.1), products: share(0.01), orders: share(0.2), events: share(0.115) };
}

export interface Filled {
  /** Rows per table, in the order in which the tables were made. */
  readonly rows: ReadonlyMap<string, number>;
  readonly ms: number;
}

/** Makes the shop anew and fills it: the same rows for the same seed and size. A database of the same name is dropped first. */
export async function createShop(url: string, size: ShopSize, seed: number, signal: AbortSignal): Promise<Filled> {
  const started = performance.now();
  const connection = await createConnection({ uri: url, charset: 'utf8mb4_bin' });
  try {
    await connection.query("SET time_zone = '+00:00'");
    await connection.query(`DROP DATABASE IF EXISTS ${SHOP_DATABASE}`);
    await connection.query(`CREATE DATABASE ${SHOP_DATABASE} CHARACTER SET utf8mb4`);
    await connection.query(`USE ${SHOP_DATABASE}`);
    for (const statement of SHOP_SCHEMA) await connection.query(statement);
    const rows = new Map<string, number>();
    for (const [table, tuples] of Object.entries(contents(size, seed))) {
      rows.set(table, await insertAll(connection, table, tuples, signal));
    }
    return { rows, ms: performance.now() - started };
  } finally {
    connection.destroy();
  }
}

export function skuOf(index: number): string {
  return `SKU-${String(index).padStart(6, '0')}`;
}

const ROWS_PER_STATEMENT = 500;
const STATEMENTS_PER_COMMIT = 20;

async function insertAll(
  connection: Connection,
  table: string,
  tuples: Iterable<string>,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let statements = 0;
  let pending: string[] = [];
  const flush = async (): Promise<void> => {
    signal.throwIfAborted();
    await connection.query(`INSERT INTO ${table} VALUES ${pending.join()}`);
    pending = [];
    statements += 1;
    if (statements % STATEMENTS_PER_COMMIT === 0) await connection.query('COMMIT');
  };
  await connection.query('SET autocommit = 0');
  for (const tuple of tuples) {
    count += pending.push(tuple) > 0 ? 1 : 0;
    if (pending.length === ROWS_PER_STATEMENT) await flush();
  }
  if (pending.length > 0) await flush();
  await connection.query('COMMIT');
  return count;
}

/** The rows of each table as SQL tuples; each table has a generator of its own, so that sizes do not shift other tables. */
function contents(size: ShopSize, seed: number): Record<string, Iterable<string>> {
  const each = (
    offset: number,
    count: number,
    row: (random: Random, id: number) => readonly SqlValue[],
  ): Iterable<string> => generate(seeded(seed * 100 + offset), count, row);
  return {
    customers: each(1, size.customers, customer),
    products: each(2, size.products, product),
    orders: each(3, size.orders, (random, id) => order(random, id, size.customers)),
    order_lines: orderLines(seeded(seed * 100 + 4), size),
    payments: each(5, Math.round(size.orders * 0.7), (random, id) => payment(random, id)),
    stock: each(6, size.products * WAREHOUSES, stock),
    events: each(7, size.events, (random, id) => event(random, id, size.customers)),
  };
}

function* generate(
  random: Random,
  count: number,
  row: (random: Random, id: number) => readonly SqlValue[],
): Generator<string> {
  for (let id = 1; id <= count; id += 1) yield tuple(row(random, id));
}

export function customer(random: Random, id: number): SqlValue[] {
  return [
    id,
    `customer${String(id)}@example.org`,
    values.personName(random),
    random.pick(['basic', 'silver', 'gold']),
    values.interests(random),
    values.maybe(random, 0.3, () => values.date(random)),
    values.money(random, 5000),
    values.maybe(random, 0.4, () => Math.fround(random.next() * 100)),
    random.int(2),
    values.bits(random, 8),
    values.maybe(random, 0.5, () => values.time(random, 0)),
    values.maybe(random, 0.3, () => values.document(random)),
    values.maybe(random, 0.5, () => values.words(random, random.int(12))),
    values.maybe(random, 0.5, () => random.bytes(random.int(33))),
    values.moment(random, 3),
    values.maybe(random, 0.5, () => values.moment(random, 6)),
  ];
}

export function product(random: Random, id: number, sku = skuOf(id)): SqlValue[] {
  return [
    sku,
    values.words(random, 3),
    values.maybe(random, 0.3, () => `Größe – ${String(random.int(60))} €`),
    values.words(random, random.between(5, 60)),
    values.money(random, 900),
    values.maybe(random, 0.2, () => random.next() * 1000),
    values.maybe(random, 0.2, () => values.document(random)),
    values.maybe(random, 0.2, () => random.between(1990, 2025)),
    values.maybe(random, 0.4, () => random.bytes(random.int(400))),
    values.maybe(random, 0.3, () => random.int(256)),
    values.bits(random, 1),
    values.maybe(random, 0.4, () => values.time(random, 3)),
  ];
}

export function order(random: Random, id: number | null, customers: number): SqlValue[] {
  const shipped = random.chance(0.5);
  return [
    id,
    random.between(1, customers),
    shipped ? 'shipped' : random.pick(['new', 'paid', 'cancelled']),
    random.pick(['EUR', 'CZK', 'JPY', 'USD']),
    values.money(random, 2000),
    values.moment(random, 3),
    shipped ? values.date(random) : null,
    values.document(random),
    random.int(2),
    values.maybe(random, 0.6, () => values.words(random, random.int(10))),
  ];
}

function* orderLines(random: Random, size: ShopSize): Generator<string> {
  for (let id = 1; id <= size.orders; id += 1) {
    const lines = random.between(1, 3);
    for (let line = 1; line <= lines; line += 1)
      yield tuple(orderLine(random, id, line, skuOf(random.between(1, size.products))));
  }
}

export function orderLine(random: Random, orderId: number, line: number, sku: string): SqlValue[] {
  return [
    orderId,
    line,
    sku,
    random.between(1, 20),
    values.money(random, 900),
    values.maybe(random, 0.6, () => Math.fround(random.next())),
    values.maybe(random, 0.8, () => values.words(random, 2)),
  ];
}

export function payment(random: Random, orderId: number): SqlValue[] {
  return [
    values.uuid(random),
    orderId,
    random.pick(['card', 'transfer', 'cash', 'voucher']),
    values.money(random, 2000),
    values.maybe(random, 0.5, () => `${String(random.int(1e9))}.${String(random.int(1e15)).padStart(15, '0')}`),
    values.maybe(random, 0.3, () => random.next() * 10 ** random.between(-9, 9)),
    values.maybe(random, 0.2, () => values.moment(random, 6)),
    values.maybe(random, 0.7, () => random.bytes(random.int(200))),
  ];
}

export function stock(random: Random, index: number): SqlValue[] {
  const sku = skuOf(Math.floor((index - 1) / WAREHOUSES) + 1);
  return stockOf(random, ((index - 1) % WAREHOUSES) + 1, sku);
}

export function stockOf(random: Random, warehouse: number, sku: string): SqlValue[] {
  return [
    warehouse,
    sku,
    random.between(-5, 5000),
    random.int(50),
    values.maybe(random, 0.3, () => values.bits(random, 16)),
    values.maybe(random, 0.4, () => values.moment(random, 0)),
  ];
}

export function event(random: Random, id: number | null, customers: number): SqlValue[] {
  return [
    id,
    random.pick(['login', 'view', 'search', 'reset', 'ünïcode']),
    values.maybe(random, 0.2, () => random.between(1, customers)),
    values.moment(random, 6),
    values.maybe(random, 0.5, () => values.time(random, 6)),
    values.maybe(random, 0.3, () => random.bytes(16)),
    values.maybe(random, 0.5, () => ({ sql: literal(BigInt.asIntN(64, random.bytes(8).readBigUInt64LE())) })),
    values.maybe(random, 0.2, () => values.document(random)),
  ];
}
