import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runKafkaTool } from '../../dev/servers/kafka.ts';
import type { Server } from '../../dev/servers/index.ts';
import { BENCH_DATABASE } from '../data.ts';
import type { Limit } from '../throughput.ts';

const TOPIC = 'limit';
/** As a topic of Lockstep has by default. */
const PARTITIONS = 4;
/** A transaction is committed that often, as Lockstep does it in a backlog: batch by batch. */
const TRANSACTION_MS = 100;

/** Bytes that the pipeline's topics take on the broker's disk; null where that is not of this machine. */
export async function topicBytes(kafka: Server, pipeline: string): Promise<number | null> {
  if (kafka.dir === null) return null;
  const data = join(kafka.dir, 'data');
  const topics = (await readdir(data)).filter((name) => name.startsWith(`${pipeline}.${BENCH_DATABASE}.`));
  let bytes = 0;
  for (const topic of topics)
    for (const file of await readdir(join(data, topic)))
      if (file.endsWith('.log')) bytes += (await stat(join(data, topic, file))).size;
  return bytes;
}

/**
 * What Kafka's own performance test brings of as many records with as many bytes each: acks=all, transactional, not compressed, as Lockstep
 * publishes. Its clock starts with the first record, in a virtual machine that is not warm.
 */
export async function measureProduce(kafka: Server, records: number, recordBytes: number): Promise<Limit> {
  const topic = `--bootstrap-server ${kafka.url} --topic ${TOPIC}`;
  await tool('TopicCommand', `${topic} --create --partitions ${String(PARTITIONS)}`);
  try {
    const load = `--num-records ${String(records)} --record-size ${String(recordBytes)} --throughput -1`;
    const transactions = `--transactional-id limit --transaction-duration-ms ${String(TRANSACTION_MS)}`;
    const producer = `--producer-props bootstrap.servers=${kafka.url} acks=all batch.size=262144 linger.ms=5`;
    const said = await tool('ProducerPerformance', `--topic ${TOPIC} ${load} ${transactions} ${producer}`);
    const [, sent, perSecond] = /(\d+) records sent, ([\d.]+) records\/sec[^\n]*th\.?\s*$/.exec(said) ?? [];
    if (Number(sent) !== records) throw new Error(`Kafka's performance test does not say that all was sent:\n${said}`);
    return { name: 'raw produce', seconds: records / Number(perSecond) };
  } finally {
    await tool('TopicCommand', `${topic} --delete`);
  }
}

async function tool(name: string, args: string): Promise<string> {
  return await runKafkaTool(`org.apache.kafka.tools.${name}`, args.split(' '));
}
