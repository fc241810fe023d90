import { quoteText } from './sql.ts';
import type { Outcome } from './session.ts';

export interface ExistingColumn {
  readonly name: string;
  /** As `format_type()` spells it. */
  readonly type: string;
  readonly enumerated: boolean;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Computed by the target itself, so it cannot be written. */
  readonly generated: boolean;
  readonly identity: boolean;
}

/** A table as the target has it. */
export interface ExistingTable {
  readonly columns: ReadonlyMap<string, ExistingColumn>;
  /** The columns of every unique index that ON CONFLICT can use. */
  readonly uniques: readonly (readonly string[])[];
  /** How many indexes keep rows from being alike in some way: primary keys, unique and exclusion constraints, partial ones too. */
  readonly exclusive: number;
  readonly primaryKey: { readonly name: string; readonly columns: readonly string[] } | null;
  /** Whether another table's foreign key points here, which forbids TRUNCATE. */
  readonly referenced: boolean;
  /** Names of enabled triggers that users have made. */
  readonly triggers: readonly string[];
}

export interface Place {
  readonly database: string;
  readonly name: string;
}

const columnsOf = `(SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
  'enumerated', t.typtype = 'e', 'notNull', a.attnotnull, 'hasDefault', a.atthasdef OR a.attidentity <> '', 'generated', a.attgenerated <> '',
  'identity', a.attidentity <> '') ORDER BY a.attnum), '[]') FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`;

const indexColumns = `(SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts)`;

const uniquesOf = `(SELECT coalesce(json_agg(${indexColumns}), '[]') FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique
  AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL)`;

const exclusive = `(SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion))`;

const primaryKeyOf = `(SELECT json_build_object('name', p.conname, 'columns', ${indexColumns}) FROM pg_constraint p
  JOIN pg_index i ON i.indexrelid = p.conindid WHERE p.conrelid = c.oid AND p.contype = 'p')`;

const triggersOf = `(SELECT coalesce(json_agg(tgname), '[]') FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled <> 'D')`;

const referenced = `EXISTS (SELECT FROM pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f' AND f.conrelid <> c.oid)`;

/** A query for those of the tables that exist; its result goes to `readTables`. */
export function selectTables(places: readonly Place[]): string {
  const wanted = places.map(({ database, name }) => `(${quoteText(database)}, ${quoteText(name)})`);
  return `SELECT n.nspname, c.relname, json_build_object('columns', ${columnsOf}, 'uniques', ${uniquesOf}, 'exclusive', ${exclusive},
  'primaryKey', ${primaryKeyOf}, 'referenced', ${referenced}, 'triggers', ${triggersOf})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND (n.nspname, c.relname) IN (${wanted.join(', ')})`;
}

/** By `placeKey`. */
export function readTables(outcome: Outcome | undefined): Map<string, ExistingTable> {
  const tables = new Map<string, ExistingTable>();
  for (const [database, name, json] of outcome?.rows ?? []) {
    if (typeof database !== 'string' || typeof name !== 'string' || typeof json !== 'string') continue;
    tables.set(placeKey({ database, name }), parseTable(json));
  }
  return tables;
}

export function placeKey({ database, name }: Place): string {
  return JSON.stringify([database, name]);
}

/** The JSON that `selectTables` builds: this is where it becomes ours. */
function parseTable(json: string): ExistingTable {
  const parsed = JSON.parse(json) as Omit<ExistingTable, 'columns'> & { readonly columns: readonly ExistingColumn[] };
  return { ...parsed, columns: new Map(parsed.columns.map((column) => [column.name, column])) };
}

/** What differs from one server to the next. */
export interface ServerFacts {
  /** 150004 is 15.4. */
  readonly version: number;
  /** PostGIS's geometry type as `format_type()` spells it, null without the extension. */
  readonly geometry: string | null;
}

export const selectFacts = `SELECT current_setting('server_version_num'),
(SELECT format_type(t.oid, NULL) FROM pg_type t JOIN pg_depend d ON d.objid = t.oid AND d.classid = 'pg_type'::regclass
 JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'postgis' WHERE t.typname = 'geometry')`;

export function readFacts(outcome: Outcome | undefined): ServerFacts {
  const [version, geometry] = outcome?.rows[0] ?? [];
  return { version: Number(version), geometry: geometry ?? null };
}
