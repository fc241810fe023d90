import { describe, expect, it } from 'vitest';
import { BinlogReader, type ReaderOptions } from '../../../../connectors/mysql/binlog/reader.ts';
import { GtidSet } from '../../../../connectors/mysql/position/gtid-set.ts';
import { ForeignKeys } from '../../../../connectors/mysql/foreign-keys/foreign-keys.ts';
import type { Position } from '../../../../connectors/mysql/position/position.ts';
import { Collations } from '../../../../connectors/mysql/schema/collations.ts';
import { Copier } from '../../../../connectors/mysql/snapshot/copier.ts';
import { Gate } from '../../../../connectors/mysql/snapshot/gate.ts';
import { Requests } from '../../../../connectors/mysql/requests.ts';
import { Stream } from '../../../../connectors/mysql/stream.ts';
import { tableEntry, Tables } from '../../../../connectors/mysql/tables.ts';
import type { Batch } from '../../../../core/contracts.ts';
import { Progress } from '../../../../core/progress.ts';
import { type TableSchema, tableSchema } from '../../../../core/table.ts';
import { endOf, gtid, packets, query, rows, schema, tableMap, xid, type LogEvent } from './binlog/hand-made-log.ts';
import { pair } from './connection/socket-pair.ts';

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
  const understanding = { flavour: 'mysql', collations: new Collations(new Map(), new Map([['utf8mb4', 4]])) } as const;
  const tables = new Tables((database) => database === 'shop', understanding);
  for (const table of known) tables.set(table.origin, table);
  const lookup: ReaderOptions['lookup'] = (name, _, map) => tables.lookup(name, map);
  const captured = (): Iterable<string> => tables.origins();
  const reader = new BinlogReader({
    wire: ends.wire,
    where: 'test',
    start: place,
    again: null,
    lookup,
    captured,
    partBytes,
  });
  const shared = { copies: new Map(), gate: new Gate(), progress: new Progress() };
  const stream: Stream = new Stream(
    {
      ...shared,
      dump: { reader, wire: ends.wire },
      start,
      where: 'here',
      tables,
      foreignKeys: new ForeignKeys(tables, []),
      copier: idleCopier(shared, () => stream),
      paused: new Set(),
      requests: new Requests({ load: () => Promise.resolve(new Map()) }, new Map(), () => undefined),
      throttle: null,
      capture: () => undefined,
      first: null,
      firstChanges: [],
      newcomers: [],
      schemaChanges: {
        flavour: 'mysql',
        policies: {},
        movesTables: true,
        changesKeys: true,
        catalog: {
          read: () =>
            Promise.resolve(new Map(catalog.map((table) => [table.origin, { schema: table, standIn: false }]))),
          charset: () => Promise.resolve('utf8mb4'),
          foreignKeys: () => Promise.resolve([]),
        },
      },
      readEnd: () => Promise.resolve({ ...place, offset: endOf(events) }),
      until: 'caught-up',
      makesIndexes: false,
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
const columns = '(id INT NOT NULL PRIMARY KEY, v VARCHAR(200) CHARACTER SET utf8mb4)';

describe('the stream', () => {
  it('drops a table where the log does, although the catalog has it again by now', async () => {
    const events = [gtid(1), query('DROP TABLE t'), gtid(2), query(`CREATE TABLE t ${columns}`), ...insert(3)];
    const { changes, entries } = await follow(events, [t], [t]);
    expect(changes).toEqual(['shop.t to nothing', 'nothing to shop.t', 'insert']);
    expect([...entries]).toEqual(['table/shop.t/']);
  });

  it('empties a table that is replaced by one of the same shape', async () => {
    const events = [gtid(1), query(`CREATE OR REPLACE TABLE t ${columns}`), ...insert(2)];
    expect((await follow(events, [t], [t])).changes).toEqual(['shop.t to nothing', 'nothing to shop.t', 'insert']);
  });

  it('does nothing about a table that is created where it is already', async () => {
    const events = [gtid(1), query(`CREATE TABLE IF NOT EXISTS t ${columns}`), ...insert(2)];
    expect((await follow(events, [t], [t])).changes).toEqual(['insert']);
  });

  it.each([1_000_000, 60])(
    'hands a table that is created and filled on under one checkpoint, parts of %i bytes',
    async (partBytes) => {
      const fill = [tableMap(5, 'u'), ...[1, 2, 3].map((id) => rows('insert', 5, [[id, 'a'.repeat(50)]]))];
      const events = [
        gtid(1),
        begin,
        query('CREATE TABLE `u` (`id` int NOT NULL, `v` varchar(200), PRIMARY KEY (`id`)) START TRANSACTION'),
        ...fill,
        xid,
      ];
      const { changes, batches, entries } = await follow(events, [t], [t, named('u')], partBytes);
      expect(changes).toEqual(['nothing to shop.u', 'insert', 'insert', 'insert']);
      expect(batches.filter(({ checkpoint }) => checkpoint !== null)).toHaveLength(1);
      expect(batches.at(-1)?.checkpoint?.set.get('stream')).toContain(':1"');
      expect([...entries]).toEqual(['table/shop.t/', 'table/shop.u/']);
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
    expect([...(await follow(events, [t, named('tt')], [named('tt')])).entries]).toEqual(['table/shop.tt/']);
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

  it.each(['RENAME TABLE t TO u', 'ALTER TABLE t RENAME u'])(
    'follows %s, rows under the new name',
    async (statement) => {
      const { changes, entries } = await follow([gtid(1), query(statement), ...insert(2, 'u')], [t], [named('u')]);
      expect(changes).toEqual(['shop.t to shop.u', 'insert']);
      expect([...entries]).toEqual(['table/shop.u/']);
    },
  );

  it('follows a swap of tables whose names are all captured, in an order in which every name is free', async () => {
    const events = [gtid(1), query('RENAME TABLE t TO t_old, t_new TO t'), ...insert(2)];
    const { changes, entries } = await follow(events, [t, named('t_new')], [t, named('t_old')]);
    expect(changes).toEqual(['shop.t to shop.t_old', 'shop.t_new to shop.t', 'insert']);
    expect([...entries].toSorted()).toEqual(['table/shop.t/', 'table/shop.t_old/']);
  });

  it('drops a table that is renamed to a name that is not captured', async () => {
    const { changes, entries } = await follow([gtid(1), query('RENAME TABLE t TO other.t')], [t], []);
    expect(changes).toEqual(['shop.t to nothing']);
    expect([...entries]).toEqual([]);
  });

  it('drops the tables of a database that is dropped', async () => {
    const { changes } = await follow([gtid(1), query('DROP DATABASE shop')], [t, named('u')], []);
    expect(changes).toEqual(['shop.t to nothing', 'shop.u to nothing']);
  });

  it('gives each of several changes of one table in a backlog the shape of its place', async () => {
    const events = [
      gtid(1),
      query('ALTER TABLE t ADD a INT, ADD b INT FIRST'),
      gtid(2),
      query('ALTER TABLE t DROP a, CHANGE b c BIGINT'),
      gtid(3),
      query('ALTER TABLE t DROP COLUMN c, RENAME COLUMN v TO w'),
    ];
    const { batches } = await follow(events, [t], [t]);
    const shapes = batches.flatMap(({ changes }) =>
      changes.map((change) =>
        change.kind === 'schema' ? change.after?.columns.map(({ name }) => name).join() : change.kind,
      ),
    );
    expect(shapes).toEqual(['b,id,v,a', 'b,id,v', 'c,id,v', 'c,id,v', 'id,v', 'id,w']);
  });

  it('stops at a statement that it does not understand where the catalog may be of a later time', async () => {
    const events = [gtid(1), query('ALTER TABLE t FROBNICATE v'), ...insert(2)];
    await expect(follow(events, [t], [t])).rejects.toEqual(
      expect.objectContaining({ code: 'SOURCE_SCHEMA_CHANGE', message: expect.stringContaining('shop.t') }),
    );
  });
});
