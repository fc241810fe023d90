import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { announced, cached, copyDirectory } from './install.ts';
import { registeredBrokers } from './kafkaprobe.ts';
import { java, mavenCopy } from './java.ts';
import type { Coordinates } from './java.ts';
import { freePort, run } from './process.ts';
import type { Place, Program, Recipe } from './server.ts';

const VERSION = '4.1.0';
const TITLE = 'Kafka 4.1';
const ARTIFACTS: readonly Coordinates[] = [
  `org.apache.kafka:kafka_2.13:${VERSION}`,
  `org.apache.kafka:kafka-tools:${VERSION}`,
  'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3',
];
const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qg';

/** One node that is broker and controller (KRaft), whose internal topics need no second one. */
const SETTINGS = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  // A killed broker may only come back when its session is over: 9 s if one leaves it.
  'broker.heartbeat.interval.ms': '500',
  'broker.session.timeout.ms': '2000',
};

export const kafka: Recipe = {
  kind: 'kafka',
  title: TITLE,
  variable: 'LOCKSTEP_TEST_KAFKA_BROKERS',
  stopSignal: 'SIGTERM',
  abortSignal: 'SIGKILL',
  url: (port) => `127.0.0.1:${port}`,
  probe,
  locate: async () => null, // an unpacked Kafka is nowhere in particular
  install,
  prepare,
  container: (port, { args = [] }) => ({
    image: `apache/kafka:${VERSION}`,
    env: {
      CLUSTER_ID: CLUSTER,
      ...environment(withArgs({ ...SETTINGS, ...listeners('0.0.0.0', port, 9093), 'log.dirs': '/tmp/kafka' }, args)),
    },
    args: [],
  }),
};

/** Kafka's protocol does not tell a broker's version. */
async function probe(brokers: string): Promise<string> {
  if ((await registeredBrokers(brokers.split(',')[0] ?? '')) === 0) throw new Error('no broker is registered yet');
  return 'unknown';
}

async function install(): Promise<Program> {
  const file = await java();
  const libraries = await cached(`kafka-${VERSION}`, (directory) =>
    announced(TITLE, 10, () => mavenCopy(ARTIFACTS, true, directory)),
  );
  return { command: [file], home: libraries, version: VERSION };
}

async function prepare({ program, dir, port, args, fast }: Place): Promise<readonly string[]> {
  const data = join(dir, 'data');
  await copyDirectory(await template(program), data);
  const controller = await freePort();
  const settings = withArgs({ ...SETTINGS, ...listeners('127.0.0.1', port, controller), 'log.dirs': data }, args);
  const file = join(dir, 'server.properties');
  await writeFile(file, properties(settings));
  return [...javaCommand(program, fast), 'kafka.Kafka', file];
}

function javaCommand(program: Program, fast: boolean): readonly [string, ...string[]] {
  const compiler = fast ? ['-XX:TieredStopAtLevel=1'] : [];
  const [file, ...rest] = program.command;
  return [file, ...rest, '-Xms256m', '-Xmx1g', '-XX:+UseG1GC', ...compiler, LOGGING, '-cp', `${program.home}/*`];
}

const LOGGING = '-Dorg.apache.logging.log4j.level=WARN';

/** Runs one of the programs that come with Kafka, by its main class, and gives what it says. */
export async function runKafkaTool(mainClass: string, args: readonly string[]): Promise<string> {
  return await run([...javaCommand(await install(), false), mainClass, ...args]);
}

/** A formatted log directory: formatting takes as long as starting. Each server gets the same cluster id. */
async function template(program: Program): Promise<string> {
  const directory = await cached(`template-kafka-${program.version}`, async (directory) => {
    const data = join(directory, 'data');
    await mkdir(data);
    const file = join(directory, 'server.properties');
    await writeFile(file, properties({ ...SETTINGS, ...listeners('127.0.0.1', 9092, 9093), 'log.dirs': data }));
    await run([...javaCommand(program, true), 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', file]);
  });
  return join(directory, 'data');
}

function listeners(address: string, port: number, controller: number): Record<string, string> {
  return {
    listeners: `PLAINTEXT://${address}:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  };
}

function properties(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** The image's own convention: dots become underscores. */
function environment(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]),
  );
}

const LISTENERS = ['listeners', 'advertised.listeners', 'listener.security.protocol.map'];

/** What `args` say takes the place of our own settings; of listeners only those of the same name. */
function withArgs(settings: Readonly<Record<string, string>>, args: readonly string[]): Record<string, string> {
  const all = { ...settings };
  for (const line of args) {
    const [name, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)];
    all[name] = LISTENERS.includes(name) ? lastOfEach(`${all[name]},${value}`) : value;
  }
  return all;
}

function lastOfEach(listeners: string): string {
  const byName = new Map(listeners.split(',').map((listener) => [listener.slice(0, listener.indexOf(':')), listener]));
  return [...byName.values()].join();
}
