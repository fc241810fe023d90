import { expect, test } from 'vitest';
import { parseConfig, type Config } from '../../../app/config/load.ts';
import { pipelineRuns, type PipelineRun } from '../../../app/pipeline.ts';

async function configured(via = ''): Promise<Config> {
  const text = `name: shop
source: { url: 'mysql://repl:topsecret@db1:3306', tables: [shop.*] }
${via}
targets:
  warehouse: { url: 'postgres://app:topsecret@pg1/shop' }
  catalog: { url: 'mongodb://mongo1/shop' }
`;
  return await parseConfig('shop.yaml', text, {});
}

function ways(runs: readonly PipelineRun[]): string[] {
  return runs.map(({ name, source, target }) => `${name}: ${source.label} → ${target.label}`);
}

test('directly there is one run per target, each with its own reader of the source', async () => {
  expect(ways(pipelineRuns(await configured(), null))).toEqual([
    'warehouse: mysql db1:3306 → warehouse (postgres pg1/shop)',
    'catalog: mysql db1:3306 → catalog (mongodb mongo1/shop)',
  ]);
});

test('via Kafka there is one run that publishes and one per target that consumes', async () => {
  const config = await configured("via: { kafka: ['k1:9092', 'k2:9092'] }");
  expect(ways(pipelineRuns(config, null))).toEqual([
    'kafka: mysql db1:3306 → kafka k1:9092, k2:9092',
    'warehouse: kafka k1:9092, k2:9092 → warehouse (postgres pg1/shop)',
    'catalog: kafka k1:9092, k2:9092 → catalog (mongodb mongo1/shop)',
  ]);
});

test('--only picks what reads the source or one target', async () => {
  const config = await configured("via: { kafka: ['k1:9092'] }");
  const names = (only: string): string[] => pipelineRuns(config, only).map(({ name }) => name);
  expect([names('source'), names('catalog')]).toEqual([['kafka'], ['catalog']]);
});

test('--only source means nothing without Kafka', async () => {
  const config = await configured();
  expect(() => pipelineRuns(config, 'source')).toThrow(
    '--only source: shop.yaml has no such part (`source` alone needs `via.kafka`)',
  );
});
