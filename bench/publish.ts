import type { PipelineConfig } from '../dev/product.ts';
import { makeBacklog, makeBase, TABLES } from './drain.ts';
import { expectEqualContents, measure } from './measure.ts';
import { measureProduce, topicBytes } from './limits/produce.ts';
import { runNumbers, type Stage } from './stage.ts';
import { count } from './throughput.ts';

/** B3: the backlog into Kafka as Avro. What was published is brought into the target, unmeasured, to be compared. */
export async function benchPublish(stage: Stage): Promise<void> {
  const { options, source, target, signal } = stage;
  const kafka = await stage.start('kafka');
  const registry = await stage.start('registry');
  const servers = [source, kafka, registry];
  const config: PipelineConfig = {
    name: 'bench',
    source: source.url,
    tables: TABLES,
    kafka: kafka.url,
    registry: registry.url,
    targets: { target: target.url },
    listen: null,
  };
  const publish = ['--only', 'source'];
  const consume = ['--only', 'target'];
  await makeBase(stage, options.rows);
  await measure({ config, args: publish, servers, firstVisible: null }); // the copy, which is not what is measured
  let seed = 1;
  for (const changesPerTransaction of [1, 1000] as const) {
    for (const run of runNumbers(options)) {
      await makeBacklog(stage, { changes: options.rows, keys: 'uniform', changesPerTransaction, seed: (seed += 1) });
      const before = await topicBytes(kafka, config.name);
      const measured = await measure({ config, args: publish, servers, firstVisible: null });
      const after = await topicBytes(kafka, config.name);
      await measure({ config, args: consume, servers: [], firstVisible: null });
      await expectEqualContents(source.url, target.url, TABLES, signal);
      const variant = `${String(changesPerTransaction)} a transaction, ${options.source} to kafka`;
      const bytes = before === null || after === null ? null : Math.round((after - before) / options.rows);
      const limit = bytes === null ? null : await measureProduce(kafka, options.rows, bytes);
      await count(stage, { variant, rows: options.rows, run, servers, measured, limit });
    }
  }
}
