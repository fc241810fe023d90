import type { WholeTableChange } from '../../core/plugin.ts';
import type { TableSchema } from '../../core/table.ts';
import { tableTopic, valueSubject } from '../../codec/kafka/names.ts';
import { valueSchema } from '../../codec/avro/schema.ts';
import { incompatibilities } from '../../codec/registry/compatibility.ts';
import type { KafkaTargetOptions } from './options.ts';

type Foreseeing = Pick<KafkaTargetOptions, 'pipeline' | 'compatibility'>;

/** What changes of whole tables would be in the topics: barriers and schema versions. Nothing is published or registered. */
export function foreseeMessages(options: Foreseeing, changes: readonly WholeTableChange[]): string[] {
  const { pipeline } = options;
  return changes.flatMap((change) => {
    if (change.kind === 'truncate') return [`${tableTopic(pipeline, change.table)}: a barrier that empties the table`];
    const { before, after } = change;
    const table = after ?? before;
    if (table === null) return [];
    const what = after === null ? 'drops the table' : before === null ? 'creates the table' : 'alters the table';
    const barrier = `${tableTopic(pipeline, table)}: a barrier in every partition that ${what}`;
    return after === null ? [barrier] : [barrier, ...versionLines(options, before, after)];
  });
}

function versionLines(
  { pipeline, compatibility }: Foreseeing,
  before: TableSchema | null,
  after: TableSchema,
): string[] {
  const topic = tableTopic(pipeline, after);
  const subject = valueSubject(topic);
  if (before === null || tableTopic(pipeline, before) !== topic) return [`${subject}: its schema is registered`];
  const level = compatibility ?? null;
  const problems = incompatibilities(valueSchema(after, topic), [valueSchema(before, topic)], level ?? 'BACKWARD');
  const line = `${subject}: a new version of the schema`;
  if (problems.length === 0)
    return [level === 'NONE' ? `${line}, unchecked` : `${line}, compatible with the one before`];
  return [`${line}, which a registry with level ${level ?? 'BACKWARD or above'} refuses: ${problems.join('; ')}`];
}
