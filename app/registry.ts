import type { Registry } from '../codec/registry/registry.ts';
import type { Source, Target, Transform } from '../core/contracts.ts';
import type { DeadLetters } from '../core/dead-letter.ts';
import { LockstepError } from '../core/errors.ts';
import type {
  Check,
  Considered,
  Foreseen,
  PlannedTable,
  SourceOptions,
  SourcePlugin,
  TargetOptions,
  TargetPlugin,
  WholeTableChange,
} from '../core/plugin.ts';
import type { ForeignKey } from '../core/foreign-key.ts';
import { keyWarnings } from '../core/key-warnings.ts';
import type { Progress } from '../core/progress.ts';
import type { TableRequest } from '../core/request.ts';
import type { IndexedTable } from '../core/secondary-index.ts';
import type { TableSchema } from '../core/table.ts';
import { Transforms } from '../core/transform.ts';
import type { Config } from './config/load.ts';
import { describeUrl } from './config/redact.ts';
import { policiesOf, unmatchedPolicies } from './value-policies.ts';

/** A source with all it is opened with, so that nobody else needs to know its kind. */
export interface SourceEnd {
  /** For people: `mysql db1:3306`. */
  readonly label: string;
  /** With `caught-up` the lanes end once everything is done that the source holds now. */
  open(until: 'caught-up' | null): Promise<Source>;
  check(signal: AbortSignal): Promise<readonly Check[]>;
  describe(entries: ReadonlyMap<string, string>): Promise<readonly string[]>;
  /** Which server answers now, and whether it can go on from a target's entries; nothing where that is no question. */
  checkTakeover(entries: ReadonlyMap<string, string>, signal: AbortSignal): Promise<readonly Check[]>;
  foresee(statement: string, signal: AbortSignal): Promise<Foreseen>;
  /** Whether what is asked of a table can be done. Errors: REQUEST_REFUSED, CONFIG_INVALID, and of connecting. */
  consider(request: TableRequest, entries: ReadonlyMap<string, string>, signal: AbortSignal): Promise<Considered>;
  /** Why what was asked of a table last was refused; null where it was not. */
  refusal(origin: string, entries: ReadonlyMap<string, string>): Promise<string | null>;
}

/** A target with all it is opened with. */
export interface TargetEnd {
  readonly label: string;
  open(): Promise<Target>;
  check(signal: AbortSignal): Promise<readonly Check[]>;
  plan(tables: readonly IndexedTable[], signal: AbortSignal): Promise<readonly PlannedTable[]>;
  foresee(changes: readonly WholeTableChange[], signal: AbortSignal): Promise<readonly string[]>;
  /** Null where this kind of target keeps none. */
  deadLetters(): Promise<DeadLetters | null>;
}

/** A schema registry that whoever hands it in also closes. */
export interface SharedRegistry {
  open(): Promise<Registry>;
}

/** What an end is to work towards. */
export interface Aim {
  /** The target's name; publishing to Kafka has the name `kafka`. */
  readonly target: string;
  readonly progress: Progress;
  /** What the run may hold of changes, in bytes. */
  readonly memoryBytes: number;
}

// Plug-ins are imported when first used: a run to PostgreSQL loads neither MongoDB's driver nor Kafka's.
const mysql = async () => (await import('../connectors/mysql/index.ts')).mysql;
const postgres = async () => (await import('../sinks/postgres/index.ts')).postgres;
const mongodb = async () => (await import('../sinks/mongodb/index.ts')).mongodb;
const kafkaTarget = async () => (await import('../sinks/kafka/index.ts')).kafka;
const kafkaSource = async () => (await import('../connectors/kafka/index.ts')).kafka;

const SOURCES: Readonly<Record<string, () => Promise<SourcePlugin>>> = { mysql, mariadb: mysql };
const TARGETS: Readonly<Record<string, () => Promise<TargetPlugin>>> = {
  postgres,
  postgresql: postgres,
  mongodb,
  'mongodb+srv': mongodb,
};

/** The configured source. */
export function sourceEnd(config: Config, aim: Aim): SourceEnd {
  const { url, tables, schemaChanges } = config.source;
  const { readers, marker, ...limits } = config.source.copy;
  const copy = { readers, marker, limits };
  // Topics and transforms go by names: under another one the same rows may have to become something else.
  const target = config.targets[aim.target];
  const movesTables = target?.transforms.length === 0;
  // A document's _id stays for ever, and a compacted topic keeps the messages of old keys.
  const changesKeys = target !== undefined && !target.url.startsWith('mongodb');
  const makesIndexes = target?.indexes ?? false;
  const added = new Set<string>();
  const settings = {
    pipeline: config.name,
    url,
    tables,
    added,
    copy,
    schemaChanges,
    movesTables,
    changesKeys,
    makesIndexes,
  };
  const options = { ...settings, until: null, ...aim };
  return sourceOf(describeUrl(url), pluginFor(SOURCES, url), options);
}

/** The configured target that `aim` names. */
export function targetEnd(config: Config, aim: Aim): TargetEnd {
  const settings = config.targets[aim.target];
  if (settings === undefined) throw new LockstepError('BUG', `there is no target ${aim.target}`);
  const { url, metadata, lanes, deadLetters, values } = settings;
  const limits = { deadLetterLimit: deadLetters.limit, values: policiesOf(values), lanes };
  const options = { pipeline: config.name, url, metadata, ...limits, ...aim };
  return targetOf(`${aim.target} (${describeUrl(url)})`, pluginFor(TARGETS, url), options);
}

/** The topics of the pipeline, to publish to. `schemas` is the built-in registry that the process shares, if it does. */
export function kafkaTargetEnd(config: Config, aim: Aim, schemas: SharedRegistry | null): TargetEnd {
  const deadLetterLimit = config.via?.deadLetters.limit ?? 0;
  const options = { pipeline: config.name, metadata: '', deadLetterLimit, ...aim, ...brokersOf(config) };
  const open: TargetEnd['open'] = async () =>
    await (await kafkaTarget()).open({ ...options, registry: await shared(options, schemas) });
  return { ...targetOf(kafkaLabel(config), kafkaTarget, options), open };
}

/** The topics of the pipeline, to read from. */
export function kafkaSourceEnd(config: Config, aim: Aim, schemas: SharedRegistry | null): SourceEnd {
  const options = { pipeline: config.name, tables: config.source.tables, until: null, ...aim, ...brokersOf(config) };
  const open: SourceEnd['open'] = async (until) =>
    await (await kafkaSource()).open({ ...options, until, registry: await shared(options, schemas) });
  return { ...sourceOf(kafkaLabel(config), kafkaSource, options), open };
}

/** How the brokers and the schema registry are reached, as the Kafka plug-ins take it. */
export function brokersOf({ via }: Config) {
  if (via === null) throw new LockstepError('BUG', 'the pipeline has no Kafka');
  return {
    url: `kafka://${via.kafka.join(',')}`,
    brokers: via.kafka,
    tls: via.tls,
    ...(via.sasl === null ? {} : { sasl: via.sasl }),
    registry: via.schemaRegistry,
    compatibility: via.compatibility,
    partitions: via.partitions,
    replicationFactor: via.replication,
    compression: via.compression,
  };
}

/** A target's transforms, in order. Throws TRANSFORM_INVALID. */
export async function transformsOf(config: Config, target: string): Promise<readonly Transform[]> {
  const items = config.targets[target]?.transforms ?? [];
  if (items.length === 0) return [];
  const { openTransforms, transformSchema } = await import('../transforms/registry.ts');
  return await openTransforms(transformSchema.array().parse(items), { baseDir: config.baseDir });
}

/** Patterns of a target's transforms and policies that match nothing in these tables: nearly always a typing mistake. */
async function unmatchedPatterns(
  config: Config,
  target: string,
  tables: readonly TableSchema[],
): Promise<readonly string[]> {
  const settings = config.targets[target];
  if (settings === undefined) return [];
  const items = settings.transforms;
  if (items.length === 0) return unmatchedPolicies(settings.values, tables);
  const { transformSchema, unmatched } = await import('../transforms/registry.ts');
  const parsed = transformSchema.array().parse(items);
  const carried = new Transforms(await transformsOf(config, target));
  const named = tables.map((table) => carried.table(table)).filter((table) => table !== null);
  return [...unmatched(parsed, tables), ...unmatchedPolicies(settings.values, named)];
}

/** What of a target's settings is worth knowing: patterns without a match, and what stands in the way of foreign keys. */
export async function targetWarnings(
  config: Config,
  target: string,
  tables: readonly TableSchema[],
  keys: readonly ForeignKey[],
): Promise<readonly string[]> {
  const transforms = new Transforms(await transformsOf(config, target));
  return [...(await unmatchedPatterns(config, target, tables)), ...keyWarnings(transforms, keys)];
}

function kafkaLabel({ via }: Config): string {
  return `kafka ${via?.kafka.join(', ') ?? ''}`;
}

async function shared(
  options: { readonly registry: string | null },
  schemas: SharedRegistry | null,
): Promise<Registry | string | null> {
  return options.registry === null && schemas !== null ? await schemas.open() : options.registry;
}

function pluginFor<Plugin>(plugins: Readonly<Record<string, () => Promise<Plugin>>>, url: string) {
  const plugin = plugins[url.split('://', 1)[0] ?? ''];
  if (plugin === undefined) throw new LockstepError('BUG', `no plug-in for ${describeUrl(url)}`);
  return plugin;
}

function sourceOf<Options extends SourceOptions>(
  label: string,
  load: () => Promise<SourcePlugin<Options>>,
  options: Options,
): SourceEnd {
  return {
    label,
    open: async (until) => await (await load()).open({ ...options, until }),
    check: async (signal) => await (await load()).check(options, signal),
    checkTakeover: async (entries, signal) => (await (await load()).checkTakeover?.(options, entries, signal)) ?? [],
    describe: async (entries) => (await load()).describe?.(entries) ?? [...entries.keys()],
    consider: async (request, entries, signal) =>
      (await (await load()).consider?.(options, request, entries, signal)) ?? { notes: [], needed: false, tells: null },
    refusal: async (origin, entries) => (await load()).refusal?.(origin, entries) ?? null,
    foresee: async (statement, signal) =>
      (await (await load()).foresee?.(options, statement, signal)) ?? { changes: [], notes: [] },
  };
}

function targetOf<Options extends TargetOptions>(
  label: string,
  load: () => Promise<TargetPlugin<Options>>,
  options: Options,
): TargetEnd {
  return {
    label,
    open: async () => await (await load()).open(options),
    check: async (signal) => await (await load()).check(options, signal),
    plan: async (tables, signal) => await (await load()).plan(options, tables, signal),
    foresee: async (changes, signal) => await (await load()).foresee(options, changes, signal),
    deadLetters: async () => (await (await load()).deadLetters?.(options)) ?? null,
  };
}
