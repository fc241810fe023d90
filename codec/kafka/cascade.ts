import type { Cascade, Moment, Referring, Value, Values } from '../../core/contracts.ts';
import { tablesReached, type ForeignKey } from '../../core/foreign-key.ts';
import type { TableSchema } from '../../core/table.ts';

/** A value as JSON: what JSON has no form for is tagged. */
type Told = null | number | string | boolean | { readonly bigint: string } | { readonly base64: string };

type ToldKey = Omit<ForeignKey, 'child' | 'parent'> & { readonly child: number; readonly parent: number };

/** A cascade as a barrier's header carries it. */
export interface ToldCascade {
  readonly columns: readonly number[];
  readonly rows: readonly { readonly before: readonly Told[]; readonly after: readonly Told[] | null }[];
  /** The cascade's own table first; the keys name them by their numbers. */
  readonly tables: readonly TableSchema[];
  readonly keys: readonly ToldKey[];
}

/** So many rows one header tells of, for it must fit a message. */
const rowsAtOnce = 500;

/** The tables whose rows a cascade may change, its own first. */
export function tablesOf({ table, keys }: Cascade): TableSchema[] {
  return [table, ...tablesReached(keys, table.origin).filter(({ origin }) => origin !== table.origin)];
}

/** A cascade in as many headers as it takes. */
export function tellCascade(cascade: Cascade): ToldCascade[] {
  const { columns, rows, keys } = cascade;
  const tables = tablesOf(cascade);
  const numberOf = ({ origin }: TableSchema): number => tables.findIndex((table) => table.origin === origin);
  const told = keys.flatMap((key): ToldKey[] => {
    const [child, parent] = [numberOf(key.child), numberOf(key.parent)];
    return child < 0 || parent < 0 ? [] : [{ ...key, child, parent }];
  });
  const parts: ToldCascade[] = [];
  for (let at = 0; at < rows.length; at += rowsAtOnce)
    parts.push({ columns, rows: rows.slice(at, at + rowsAtOnce).map(tellRows), tables, keys: told });
  return parts;
}

/** The cascade that a header tells of; null where it is none of ours. */
export function readCascade({ columns, rows, tables, keys }: ToldCascade, at: Moment): Cascade | null {
  const [table] = tables;
  if (table === undefined) return null;
  const known = keys.flatMap((key): ForeignKey[] => {
    const [child, parent] = [tables[key.child], tables[key.parent]];
    return child === undefined || parent === undefined ? [] : [{ ...key, child, parent }];
  });
  return { kind: 'cascade', table, columns, rows: rows.map(readRows), keys: known, at };
}

function tellRows({ before, after }: Referring): ToldCascade['rows'][number] {
  return { before: before.map(tell), after: after && after.map(tell) };
}

function readRows({ before, after }: ToldCascade['rows'][number]): Referring {
  const read = (values: readonly Told[]): Values => values.map(readValue);
  return { before: read(before), after: after && read(after) };
}

function tell(value: Value): Told {
  if (typeof value === 'bigint') return { bigint: String(value) };
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;
}

function readValue(told: Told): Value {
  if (told === null || typeof told !== 'object') return told;
  return 'bigint' in told ? BigInt(told.bigint) : new Uint8Array(Buffer.from(told.base64, 'base64'));
}
