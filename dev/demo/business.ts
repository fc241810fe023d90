import type { Connection, ResultSetHeader } from 'mysql2/promise';
import type { Random } from '../random.ts';
import { literal, tuple, type SqlValue } from '../sql.ts';
import * as shop from './shop.ts';
import * as values from './values.ts';

/** What the writer knows of the shop. Several connections share one. */
export interface Shop {
  readonly customers: number;
  orders: number;
  events: number;
  readonly skus: [string, ...string[]];
  renamed: number;
}

/** One connection inside a transaction. */
export interface Desk {
  readonly random: Random;
  readonly shop: Shop;
  readonly run: (sql: string) => Promise<ResultSetHeader>;
}

/** What is done once the transaction is committed; a transaction that is rolled back leaves no trace in `Shop`. */
type Committed = (() => void) | undefined;

/** A transaction of the shop's day. `share` says how often it happens, relative to the others. */
interface Business {
  readonly share: number;
  readonly run: (desk: Desk) => Promise<Committed>;
}

const BUSINESS: readonly Business[] = [
  { share: 24, run: placeOrder },
  { share: 14, run: payOrder },
  { share: 10, run: shipOrder },
  { share: 14, run: changeCustomer },
  { share: 9, run: cancelOrder },
  { share: 16, run: logEvents },
  { share: 4, run: forgetEvents },
  { share: 4, run: repriceProduct },
  { share: 2, run: renameProduct },
  { share: 3, run: countStock },
];

export function pickBusiness(random: Random): Business['run'] {
  let at = random.int(BUSINESS.reduce((sum, { share }) => sum + share, 0));
  return (BUSINESS.find(({ share }) => (at -= share) < 0) ?? { run: logEvents }).run;
}

export function deskOf(connection: Connection, random: Random, shop: Shop): Desk {
  return { random, shop, run: async (sql) => (await connection.query<ResultSetHeader>(sql))[0] };
}

/** Lines come in any order of products, so two of these can wait for each other's stock: deadlocks are part of the shop's day. */
async function placeOrder({ random, shop: known, run }: Desk): Promise<Committed> {
  const placed = await run(`INSERT INTO orders VALUES ${tuple(shop.order(random, null, known.customers))}`);
  const orderId = placed.insertId;
  const lines = random.between(1, 4);
  for (let line = 1; line <= lines; line += 1) {
    const sku = popular(random, known);
    await run(`INSERT INTO order_lines VALUES ${tuple(shop.orderLine(random, orderId, line, sku))}`);
    await run(`UPDATE stock SET reserved = reserved + 1 WHERE warehouse = ${place(random)} AND sku = ${literal(sku)}`);
  }
  await run(`INSERT INTO events VALUES ${tuple(shop.event(random, null, known.customers))}`);
  return () => (known.orders = Math.max(known.orders, orderId));
}

async function payOrder({ random, shop: known, run }: Desk): Promise<Committed> {
  const id = anyOrder(random, known);
  const found = await run(`UPDATE orders SET status = 'paid', comment = NULL WHERE id = ${id} AND status <> 'paid'`);
  if (found.affectedRows > 0) await run(`INSERT INTO payments VALUES ${tuple(shop.payment(random, Number(id)))}`);
  return undefined;
}

async function shipOrder({ random, shop: known, run }: Desk): Promise<Committed> {
  const day = literal(values.date(random));
  await run(`UPDATE orders SET status = 'shipped', shipped_on = ${day} WHERE id = ${anyOrder(random, known)}`);
  const sku = literal(popular(random, known));
  await run(`UPDATE stock SET quantity = quantity - 1 WHERE warehouse = ${place(random)} AND sku = ${sku}`);
  return undefined;
}

async function changeCustomer({ random, shop: known, run }: Desk): Promise<Committed> {
  const set: Record<string, SqlValue> = {
    name: values.personName(random),
    balance: values.money(random, 5000),
    loyalty: values.maybe(random, 0.3, () => Math.fround(random.next() * 100)),
    interests: values.interests(random),
    flags: values.bits(random, 8),
    notes: values.maybe(random, 0.3, () => values.words(random, 8)),
    updated_at: { sql: 'NOW(6)' },
    preferences: random.chance(0.5) ? values.document(random) : { sql: "JSON_SET(preferences, '$.nested.seen', id)" },
  };
  const list = Object.entries(set).map(([name, value]) => `${name} = ${literal(value)}`);
  await run(`UPDATE customers SET ${list.join()} WHERE id = ${String(random.between(1, known.customers))}`);
  return undefined;
}

async function cancelOrder({ random, shop: known, run }: Desk): Promise<Committed> {
  const id = anyOrder(random, known);
  await run(`DELETE FROM payments WHERE order_id = ${id}`);
  await run(`DELETE FROM order_lines WHERE order_id = ${id}`);
  await run(`DELETE FROM orders WHERE id = ${id}`);
  return undefined;
}

async function logEvents({ random, shop: known, run }: Desk): Promise<Committed> {
  const rows = Array.from({ length: random.between(1, 5) }, () => tuple(shop.event(random, null, known.customers)));
  const { insertId } = await run(`INSERT INTO events VALUES ${rows.join()}`);
  return () => (known.events = Math.max(known.events, insertId));
}

async function forgetEvents({ random, shop: known, run }: Desk): Promise<Committed> {
  const from = random.between(1, known.events);
  await run(`DELETE FROM events WHERE id BETWEEN ${String(from)} AND ${String(from + 3)}`);
  return undefined;
}

async function repriceProduct({ random, shop: known, run }: Desk): Promise<Committed> {
  const sku = literal(random.pick(known.skus));
  const label = literal(`Größe ${String(random.int(60))}`);
  await run(`UPDATE products SET price = price + 0.01, active = NOT active, label = ${label} WHERE sku = ${sku}`);
  return undefined;
}

/** Changes keys: of one row of products, and of one row per warehouse of stock. */
async function renameProduct({ random, shop: known, run }: Desk): Promise<Committed> {
  const index = random.int(known.skus.length);
  const old = known.skus[index] ?? known.skus[0];
  known.renamed += 1;
  const sku = `NEW-${String(known.renamed)}`;
  await run(`UPDATE products SET sku = ${literal(sku)} WHERE sku = ${literal(old)}`);
  await run(
    `UPDATE stock SET sku = ${literal(sku)} WHERE sku = ${literal(old)} AND warehouse <= ${String(shop.WAREHOUSES)}`,
  );
  return () => (known.skus[index] = sku);
}

async function countStock({ random, shop: known, run }: Desk): Promise<Committed> {
  const sku = random.pick(known.skus);
  const rows = Array.from({ length: shop.WAREHOUSES }, (_, i) => tuple(shop.stockOf(random, i + 1, sku)));
  await run(`REPLACE INTO stock VALUES ${rows.join()}`);
  return undefined;
}

/** One product in ten takes most of the orders, so that keys are hot. */
function popular(random: Random, known: Shop): string {
  const hot = Math.max(1, Math.floor(known.skus.length / 10));
  return known.skus[random.int(random.chance(0.8) ? hot : known.skus.length)] ?? known.skus[0];
}

function anyOrder(random: Random, known: Shop): string {
  return String(random.between(1, known.orders));
}

function place(random: Random): string {
  return String(random.between(1, shop.WAREHOUSES));
}
