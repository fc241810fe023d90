import { LockstepError } from '../../../core/errors.ts';
import type { TableSchema } from '../../../core/table.ts';
import type { Body } from './body.ts';
import { partialRowDecoder, type PartialRowDecoder } from './partial-update.ts';
import { rowScanner, type RowScanner } from './rows.ts';
import { readTableMap, readTableName, type TableMap, type TableName } from './table-map.ts';
import type { Begun } from './transaction.ts';

/** The schema of a table as it is in this transaction, null where its rows are not wanted. `map`: as the log has just described it. */
export type Lookup = (name: TableName, transaction: Pick<Begun, 'id' | 'at'>, map?: TableMap) => TableSchema | null;

/** How the rows of a wanted table are read. */
export interface MappedTable {
  readonly schema: TableSchema;
  readonly map: TableMap;
  readonly scan: RowScanner;
}

/** A wanted table whose rows in the log are not those of its schema. */
export interface UnreadableTable {
  readonly schema: TableSchema;
  readonly reason: LockstepError;
}

interface Known {
  readonly raw: Buffer;
  readonly name: TableName;
  readonly mapped: MappedTable | UnreadableTable | null;
}

/** The tables that TABLE_MAP events announced, by the id that rows call them. Ids begin anew when the server does. */
export class MappedTables {
  readonly #byId = new Map<number, Known>();
  readonly #partial = new WeakMap<MappedTable, PartialRowDecoder>();
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /** Takes note of a TABLE_MAP event. Errors: MalformedEvent, SOURCE_TYPE_UNSUPPORTED, SOURCE_SCHEMA. */
  announce(body: Body, transaction: Begun): void {
    const { bytes, at, end } = body;
    const id = body.u48();
    const known = this.#byId.get(id);
    if (known !== undefined && bytes.compare(known.raw, 0, known.raw.length, at, end) === 0) {
      const { name, mapped } = known;
      if (this.#lookup(name, transaction) === (mapped?.schema ?? null)) return;
    }
    const name = readTableName(body);
    const isWanted = this.#lookup(name, transaction) !== null;
    const mapped = isWanted ? this.#mapped(readTableMap(name, body), transaction) : null;
    this.#byId.set(id, { raw: Buffer.from(bytes.subarray(at, end)), name, mapped });
  }

  #mapped(map: TableMap, transaction: Begun): MappedTable | UnreadableTable | null {
    const schema = this.#lookup(map, transaction, map);
    return schema === null ? null : mappedTable(map, schema);
  }

  /** Null for a table whose rows are not wanted, undefined where nothing announced it. */
  get(id: number): MappedTable | UnreadableTable | null | undefined {
    return this.#byId.get(id)?.mapped;
  }

  /** For rows that may hold differences to the row before. */
  partialDecoder(mapped: MappedTable): PartialRowDecoder {
    const known = this.#partial.get(mapped) ?? partialRowDecoder(mapped.map, mapped.schema);
    this.#partial.set(mapped, known);
    return known;
  }

  clear(): void {
    this.#byId.clear();
  }
}

function mappedTable(map: TableMap, schema: TableSchema): MappedTable | UnreadableTable {
  try {
    return { schema, map, scan: rowScanner(map, schema) };
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'SOURCE_SCHEMA') return { schema, reason: error };
    throw error;
  }
}
