import { randomUUID } from 'node:crypto';
import type { Change, Moment, RowChange } from '../../core/contracts.ts';
import { unreachable } from '../../core/errors.ts';
import type { TableSchema } from '../../core/table.ts';
import type { BarrierHeader } from '../../codec/kafka/barrier.ts';
import { tablesOf, tellCascade } from '../../codec/kafka/cascade.ts';
import type { PublishedTable, PublishedTables } from './published-tables.ts';

/**
 * A name for a change without a row that no other has, not even one of the same place: copies that begin while the source stands still have one
 * place. It need not be the same when the change is published again, for readers see only what was committed, and that only once.
 */
function barrierId(at: Moment): string {
  return `${at.gtid ?? `${at.file}:${at.offset}`}#${randomUUID()}`;
}

/** One barrier: the topics whose every partition it travels, and the header it has there. */
export interface Travelling {
  readonly topics: readonly PublishedTable[];
  readonly header: BarrierHeader;
}

/**
 * The barriers that a change without a row makes. A truncate travels its table's topic; a schema change the topics of the table's old
 * and new name, so that no row of the new name comes before the change; a cascade the topics of all tables whose rows it may change; a marker is one barrier per topic.
 */
export async function travelling(
  change: Exclude<Change, RowChange>,
  tables: PublishedTables,
  signal: AbortSignal,
): Promise<readonly Travelling[]> {
  const published = async (table: TableSchema): Promise<PublishedTable> =>
    tables.get(table) ?? (await tables.open(table, signal));
  const id = barrierId(change.at);
  switch (change.kind) {
    case 'truncate': {
      const topics = [await published(change.table)];
      return [{ topics, header: { id, kind: 'truncate', across: across(topics), after: change.table } }];
    }
    case 'schema': {
      const { before, after, statement } = change;
      const ends = [];
      for (const table of [before, after]) if (table !== null) ends.push(await published(table));
      // The newest schema last: one topic has both ends unless the table was renamed.
      const topics = [...new Map(ends.map((end) => [end.topic, end])).values()];
      return [{ topics, header: { id, kind: 'schema', across: across(topics), statement, before, after } }];
    }
    case 'cascade': {
      const topics: PublishedTable[] = [];
      for (const table of tablesOf(change)) topics.push(await published(table));
      return tellCascade(change).map((cascade, part) => ({
        topics,
        header: { id: `${id}.${String(part)}`, kind: 'cascade', across: across(topics), cascade },
      }));
    }
    case 'marker':
      return tables.all().map((topic) => ({
        topics: [topic],
        header: { id: `${topic.topic}:${id}`, kind: 'marker', across: across([topic]), token: change.token },
      }));
    default:
      return unreachable(change);
  }
}

function across(topics: readonly PublishedTable[]): Record<string, number> {
  return Object.fromEntries(topics.map(({ topic, leaders }) => [topic, leaders.length]));
}
