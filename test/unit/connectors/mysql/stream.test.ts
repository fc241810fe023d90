import { describe, expect, it } from 'vitest';
import { BinlogReader } from '../../../../connectors/mysql/binlog/reader.ts';
import { GtidSet } from '../../../../connectors/mysql/gtid-set.ts';
import type { Position } from '../../../../connectors/mysql/position.ts';
import { Copier } from '../../../../connectors/mysql/snapshot/copier.ts';
import { Gate } from '../../../../connectors/mysql/snapshot/gate.ts';
import { Stream } from '../../../../connectors/mysql/stream.ts';
import { tableEntry, Tables } from '../../../../connectors/mysql/tables.ts';
import type { Batch } from '../../../../core/contracts.ts';
import { Progress } from '../../../../core/progress.ts';
import { type TableSchema, tableSchema } from '../../../../core/table.ts';
import { endOf, gtid, packets, query, rows, schema, tableMap, xid, type LogEvent } from './binlog/hand-made-log.ts';
import { pair } from './socket-pair.ts';

const never = new AbortController().signal;
const named = (name: string): TableSchema => tableSchema({ ...schema, name, origin: `shop.${name}` });

interface Followed {
  /** Kinds of the changes in order; a schema change as what it leads from and to. */
  readonly changes: readonly string[];
  readonly batches: readonly Batch[];
  /** The entries of tables that a target would hold in the end. */
  readonly entries: ReadonlySet<string>;
}

/** What the stream hands on of a log, where the target follows `known` already and the catalog now holds `catalog`. */
async function follow(
  events: readonly LogEvent[],
  known: readonly TableSchema[],
  catalog: readonly TableSchema[],
  partBytes = 1_000_000,
): Promise<Followed> {
  await using ends = await pair();
  const place = { file: 'binlog.000001', offset: 4, server: 'u' };
  const start: Position = { by: 'gtid', set: new GtidSet(), place };
  const tables = new Tables((database) => database === 'shop');
  for (const table of known) tables.set(table.origin, table);
  const lookup = (database: string, table: string): TableSchema | null => tables.lookup(database, table);
  const reader = new BinlogReader({ wire: ends.wire, where: 'test', start: place, checksums: true, lookup, partBytes });
  const shared = { copies: new Map(), gate: new Gate(), progress: new Progress() };
  const stream: Stream = new Stream(
    {
      ...shared,
      dump: { reader, wire: ends.wire },
      start,
      tables,
      copier: idleCopier(shared, () => stream),
      first: null,
      readSchemas: () => Promise.resolve(new Map(catalog.map((table) => [table.origin, table]))),
      readEnd: () => Promise.resolve({ ...place, offset: endOf(events) }),
      ping: () => Promise.resolve(),
    },
    never,
  );
  ends.server.write(packets(events));
  const batches: Batch[] = [];
  for await (const batch of stream.lane().batches) batches.push(batch);
  const entries = new Set(known.map(({ origin }) => tableEntry(origin)));
  for (const { checkpoint } of batches) {
    for (const prefix of checkpoint?.drop ?? [])
      for (const name of entries) if (name.startsWith(prefix)) entries.delete(name);
    for (const name of checkpoint?.set.keys() ?? []) if (name !== 'stream') entries.add(name);
  }
  return { changes: batches.flatMap(({ changes }) => changes.map(described)), batches, entries };
}

function idleCopier(
  { copies, gate, progress }: Pick<ConstructorParameters<typeof Stream>[0], 'copies' | 'gate' | 'progress'>,
  handedOn: () => Stream,
): Copier {
  return new Copier({
    tables: copies,
    gate,
    progress,
    server: {
      flavour: 'mysql',
      version: '9.0.0',
      addressing: 'gtid',
      id: 'u',
      fullMetadata: true,
      variables: new Map(),
    },
    marker: null,
    readers: 1,
    connect: () => Promise.reject(new Error('nothing is copied')),
    handedOn,
  });
}

function described(change: Batch['changes'][number]): string {
  if (change.kind !== 'schema') return change.kind;
  return `${change.before?.origin ?? 'nothing'} to ${change.after?.origin ?? 'nothing'}`;
}

const begin = query('BEGIN');
const insert = (number: number, name = 't'): LogEvent[] => [
  gtid(number),
  begin,
  tableMap(number, name),
  rows('insert', number, [[number, 'a']]),
  xid,
];
const t = schema;

describe('the stream', () => {
  it('drops a table where the log does, although the catalog has it again by now', async () => {
    const events = [gtid(1), query('DROP TABLE t'), gtid(2), query('CREATE TABLE t (id INT)'), ...insert(3)];
    const { changes, entries } = await follow(events, [t], [t]);
    expect(changes).toEqual(['shop.t to nothing', 'nothing to shop.t', 'insert']);
    expect([...entries]).toEqual(['table/shop.t']);
  });

  it('empties a table that is replaced by one of the same shape', async () => {
    const events = [gtid(1), query('CREATE OR REPLACE TABLE t (id INT)'), ...insert(2)];
    expect((await follow(events, [t], [t])).changes).toEqual(['shop.t to nothing', 'nothing to shop.t', 'insert']);
  });

  it('does nothing about a table that is created where it is already', async () => {
    const events = [gtid(1), query('CREATE TABLE IF NOT EXISTS t (id INT)'), ...insert(2)];
    expect((await follow(events, [t], [t])).changes).toEqual(['insert']);
  });

  it.each([1_000_000, 60])(
    'hands a table that is created and filled on under one checkpoint, parts of %i bytes',
    async (partBytes) => {
      const fill = [tableMap(5, 'u'), ...[1, 2, 3].map((id) => rows('insert', 5, [[id, 'a'.repeat(50)]]))];
      const events = [gtid(1), begin, query('CREATE TABLE `u` (`id` int) START TRANSACTION'), ...fill, xid];
      const { changes, batches, entries } = await follow(events, [t], [t, named('u')], partBytes);
      expect(changes).toEqual(['nothing to shop.u', 'insert', 'insert', 'insert']);
      expect(batches.filter(({ checkpoint }) => checkpoint !== null)).toHaveLength(1);
      expect(batches.at(-1)?.checkpoint?.set.get('stream')).toContain(':1"');
      expect([...entries]).toEqual(['table/shop.t', 'table/shop.u']);
    },
  );

  it('passes over a table that is created and filled where it is not captured', async () => {
    const fill = [tableMap(5, 'u', null, 'other'), rows('insert', 5, [[1, 'a']])];
    const events = [
      gtid(1),
      begin,
      query('CREATE TABLE other.u (id int) START TRANSACTION'),
      ...fill,
      xid,
      ...insert(2),
    ];
    expect((await follow(events, [t], [t])).changes).toEqual(['insert']);
  });

  it('keeps the entries of tables whose names only begin like that of a dropped one', async () => {
    const events = [gtid(1), query('DROP TABLE t')];
    expect([...(await follow(events, [t, named('tt')], [named('tt')])).entries]).toEqual(['table/shop.tt']);
  });

  it('leaves no entry of a table that was altered and dropped under one checkpoint', async () => {
    const wider = tableSchema({
      ...t,
      columns: [...t.columns, ...t.columns.slice(1).map((c) => ({ ...c, name: 'w' }))],
    });
    const events = [gtid(1), query('ALTER TABLE t ADD w INT'), gtid(2), query('DROP TABLE t')];
    const { changes, entries } = await follow(events, [t], [wider]);
    expect(changes).toEqual(['shop.t to shop.t', 'shop.t to nothing']);
    expect([...entries]).toEqual([]);
  });

  it('truncates', async () => {
    expect((await follow([gtid(1), query('TRUNCATE TABLE t'), ...insert(2)], [t], [t])).changes).toEqual([
      'truncate',
      'insert',
    ]);
  });

  it.each(['RENAME TABLE t TO u', 'ALTER TABLE t RENAME u', 'DROP DATABASE shop'])('refuses %s', async (statement) => {
    await expect(follow([gtid(1), query(statement)], [t], [t])).rejects.toEqual(
      expect.objectContaining({ code: 'SOURCE_SCHEMA_CHANGE', message: expect.stringContaining('shop.t') }),
    );
  });
});
