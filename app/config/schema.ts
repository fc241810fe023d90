import { z } from 'zod';
import { COMPRESSIONS } from '../../codec/kafka/compression.ts';
import { LEVELS } from '../../codec/registry/levels.ts';
import { schemaPolicies } from '../../core/schema-policy.ts';
import { defaultPolicies } from '../../core/value-policy.ts';
import { tablePatternSchema } from '../../transforms/pattern.ts';

/** The names of a pipeline and of its targets: they become parts of schema, topic, group and lock names, where little else is safe everywhere. */
const NAME = /^[a-z][a-z0-9_]{0,39}$/;
/** `--only source` and the target that publishing writes to are named so. */
const RESERVED = new Set(['source', 'kafka']);
const HOST_PORT = /^(?:\[[0-9a-f:]+\]|[^\s:/@]+):(\d{1,5})$/i;

const SOURCES = ['mysql', 'mariadb'];
const TARGETS = ['postgres', 'postgresql', 'mongodb', 'mongodb+srv'];
const REGISTRIES = ['http', 'https'];

const perSecond = (what: string) => z.int().min(1).nullable().default(null).describe(`${what}; null: without a limit.`);

const backOff = z
  .strictObject({
    threadsRunning: z
      .int()
      .min(1)
      .nullable()
      .default(50)
      .describe('Threads_running of the source above which no chunk is begun; null: no matter how many.'),
    replicaLag: z
      .number()
      .min(0)
      .nullable()
      .default(30)
      .describe(
        'Seconds that a replica may be behind: the source itself where it is one, and `replicas`; null: no matter.',
      ),
    replicas: z
      .array(urlOf(SOURCES))
      .default([])
      .describe('Replicas of the source to ask how far behind they are, as URLs: a source does not know.'),
    latency: z
      .number()
      .gt(1)
      .nullable()
      .default(8)
      .describe('How many times as long as at best a chunk may take until its first rows come; null: no matter.'),
  })
  .prefault({})
  .describe('When the copy waits because the source is busy. The stream goes on.');

const copy = z
  .strictObject({
    readers: z
      .int()
      .min(1)
      .max(32)
      .default(2)
      .describe('How many connections read chunks of tables side by side while tables are copied.'),
    rowsPerSecond: perSecond('Rows that the copy reads for one target per second, of all tables and readers together'),
    bytesPerSecond: perSecond('The same in bytes'),
    backOff,
    marker: z
      .string()
      .regex(/^[^.\s]+\.[^.\s]+$/, 'must be `database.table`')
      .nullable()
      .default(null)
      .describe(
        'A table of ours in the source, as `database.table`, for servers without GTIDs; null: nothing is written.',
      ),
  })
  .prefault({})
  .describe('How the tables are copied before the stream alone keeps them in step.');

const policy = <const Choices extends readonly string[]>(choices: Choices, what: string) =>
  z
    .enum(choices)
    .default(choices[0] as Choices[number])
    .describe(what);

const schemaChanges = z
  .strictObject({
    'create-table': policy(schemaPolicies['create-table'], 'A new table that `tables` takes in.'),
    'drop-table': policy(
      schemaPolicies['drop-table'],
      'A table that is dropped, or renamed to a name that `tables` leaves out.',
    ),
    'rename-table': policy(
      schemaPolicies['rename-table'],
      'A table that has another name, which `tables` takes in too.',
    ),
    'truncate-table': policy(schemaPolicies['truncate-table'], 'A table that is emptied by TRUNCATE.'),
    'change-partition': policy(schemaPolicies['change-partition'], 'Rows come or go with a partition or a tablespace.'),
    'add-column': policy(schemaPolicies['add-column'], 'A new column.'),
    'drop-column': policy(schemaPolicies['drop-column'], 'A column that is dropped.'),
    'rename-column': policy(schemaPolicies['rename-column'], 'A column that has another name.'),
    'change-column': policy(
      schemaPolicies['change-column'],
      'A column with another type, default, character set or NULL.',
    ),
    'change-key': policy(schemaPolicies['change-key'], 'Another primary key.'),
  })
  .prefault({})
  .describe(
    'What becomes of schema changes while running: `evolve` carries them, `ignore` leaves the target as it is, `stop` waits for you.',
  );

const source = z
  .strictObject({
    url: urlOf(SOURCES).describe('Where changes come from: mysql://user:password@host:3306 or mariadb://…'),
    tables: z
      .array(
        z
          .string()
          .regex(/^!?[^.\s]+\.[^.]+$/, 'must be `database.table`; `*` stands for any text, a leading `!` leaves out'),
      )
      .min(1, 'needs at least one `database.table`')
      .refine((tables) => tables.some((table) => !table.startsWith('!')), 'only leaves out; begin with what to take in')
      .describe('The tables, in order: `database.table` with `*`; a leading `!` takes out what earlier ones took in.'),
    copy,
    schemaChanges,
  })
  .describe('The database that changes come from.');

const deadLetters = z
  .strictObject({
    limit: z
      .int()
      .min(0)
      .max(100_000)
      .default(1000)
      .describe('How many changes may be set aside before the pipeline stops for you; 0: it stops at the first.'),
  })
  .prefault({})
  .describe(
    'Changes that the target (of `via`: Kafka) refuses, and those that wait behind them: kept there, see `lockstep rejects`.',
  );

const via = z
  .strictObject({
    kafka: z
      .array(z.string().refine(isHostPort, 'must be `host:port`'))
      .min(1, 'needs at least one broker as `host:port`')
      .describe('Brokers to begin with, as `host:port`; the others are found through them.'),
    tls: z.boolean().default(false).describe('Whether the brokers are spoken to over TLS.'),
    sasl: z
      .strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']),
        username: z.string(),
        password: z.string().describe('Give it as ${VARIABLE} or ${file:/path}.'),
      })
      .nullable()
      .default(null)
      .describe('How to log in to the brokers; null: they ask for nothing.'),
    schemaRegistry: urlOf(REGISTRIES)
      .nullable()
      .default(null)
      .describe('A Confluent-compatible schema registry; null: the built-in one, served at /registry of http.listen.'),
    compatibility: z
      .enum(LEVELS)
      .nullable()
      .default(null)
      .describe(
        'What a new version of a schema may change, as Confluent names the levels; set on every subject of the pipeline. null: as the registry has it.',
      ),
    compression: z
      .enum(COMPRESSIONS)
      .default('none')
      .describe('How what is published is compressed; zstd needs brokers and consumers of Kafka 2.1 or later.'),
    partitions: z
      .int()
      .min(1)
      .max(10_000)
      .default(4)
      .describe('Partitions of a topic that is created: the most processes that can share the work of one target.'),
    replication: z
      .int()
      .min(1)
      .max(32_767)
      .nullable()
      .default(null)
      .describe('Copies of each partition of a topic that is created; null: 3, or the number of brokers if smaller.'),
    deadLetters,
  })
  .describe('Kafka between source and targets; leave out to go directly.');

const zeroDates = z
  .string()
  .refine(isZeroDatePolicy, 'must be set-null, dead-letter, or a date from 0001-01-01 on as YYYY-MM-DD')
  .describe(
    'Zero and partial dates: `set-null` where the column may be NULL, `dead-letter`, or the date that stands for them.',
  );

const nulCharacters = z
  .enum(['dead-letter', 'strip', 'replace'])
  .describe('U+0000 in text or JSON of PostgreSQL: `dead-letter`, `strip` it, or `replace` it by U+FFFD.');

const values = z
  .strictObject({
    zeroDates: zeroDates.default(defaultPolicies.zeroDates),
    nulCharacters: nulCharacters.default(defaultPolicies.nulCharacters),
    tables: z
      .array(
        z.strictObject({
          table: tablePatternSchema,
          zeroDates: zeroDates.optional(),
          nulCharacters: nulCharacters.optional(),
        }),
      )
      .default([])
      .describe('The same for some tables: of the entries that match a table, the last that says something decides.'),
  })
  .prefault({})
  .describe('What becomes of values that the target cannot hold. What is changed is counted; key columns never are.');

const http = z
  .strictObject({
    listen: z
      .string()
      .refine(isHostPort, 'must be `host:port`, for example 127.0.0.1:8080')
      .describe('`host:port` to listen on for /health, /status, /metrics and, where needed, /registry.'),
  })
  .describe('The HTTP listener; off when left out.');

/**
 * The whole configuration file. `transform` is the schema of one item of a target's `transforms`: it is handed in because loading
 * it loads an expression language that most pipelines do without.
 */
export function configSchema<Transform extends z.ZodType>(transform: Transform) {
  const target = z
    .strictObject({
      url: urlOf(TARGETS).describe('Where changes go: postgres://user:password@host/database or mongodb://…/database'),
      transforms: z.array(transform).default([]).describe('What is done to tables and rows on their way, in order.'),
      metadata: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'must be letters, digits and `_`, not beginning with a digit')
        .default('lockstep')
        .describe(
          'The schema (PostgreSQL) or database (MongoDB) in the target for what is ours: checkpoints, dead letters.',
        ),
      lanes: z
        .int()
        .min(1)
        .max(16)
        .default(1)
        .describe(
          'PostgreSQL: how many connections apply the rows of one large batch side by side. 1 keeps the transactions of the source whole.',
        ),
      indexes: z
        .boolean()
        .default(true)
        .describe(
          'Whether tables get the indexes that they have at the source, each once its copy is done; not by way of Kafka.',
        ),
      deadLetters,
      values,
    })
    .refine(({ url, lanes }) => lanes === 1 || url.startsWith('postgres'), {
      path: ['lanes'],
      message: 'more than one is for PostgreSQL; leave it out',
    });
  return z.strictObject({
    name: z
      .string()
      .regex(NAME, 'must be 1 to 40 of a-z, 0-9 and `_`, beginning with a letter')
      .describe('Names the checkpoints, topics and consumer groups. With another name everything starts anew.'),
    source,
    via: via.nullable().default(null),
    targets: z
      .record(
        z
          .string()
          .regex(NAME, 'must be 1 to 40 of a-z, 0-9 and `_`, beginning with a letter')
          .refine((name) => !RESERVED.has(name), 'is a name that has a meaning of its own; choose another'),
        target,
      )
      .refine((targets) => Object.keys(targets).length > 0, 'needs at least one target')
      .describe('Where the changes go, by names of your choice.'),
    http: http.nullable().default(null),
    memory: z
      .int()
      .min(16)
      .max(65_536)
      .default(128)
      .describe('MiB of changes that this process may hold, read and not yet applied; its runs share them evenly.'),
  });
}

/** What a configuration file says, with every default filled in. */
export type Settings = z.output<ReturnType<typeof configSchema<z.ZodUnknown>>>;
export type TargetSettings = Settings['targets'][string];

/** Splits what `http.listen` and `via.kafka` hold. */
export function hostPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replaceAll(/[[\]]/g, ''), port: Number(text.slice(colon + 1)) };
}

function isHostPort(text: string): boolean {
  const port = HOST_PORT.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

function urlOf(schemes: readonly string[]) {
  const list = schemes.map((scheme) => `${scheme}://`).join(', ');
  return z
    .string()
    .superRefine((url, context) => {
      const fault = urlFault(url, schemes, list);
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ pattern: `^(${schemes.map((scheme) => scheme.replace('+', '\\+')).join('|')})://|^\\$\\{` });
}

/** A day of the calendar that every target has counts as a policy: it stands for those that none has. */
function isZeroDatePolicy(text: string): boolean {
  if (text === 'set-null' || text === 'dead-letter') return true;
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith('0000')) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** What is wrong with a URL, without repeating any of it but the scheme: it holds a password. */
function urlFault(url: string, schemes: readonly string[], list: string): string | null {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url);
  if (match === null) return `is no URL; it must begin with ${list}`;
  const [, scheme = '', rest = ''] = match;
  if (!schemes.includes(scheme)) return `begins with ${scheme}://; it must begin with ${list}`;
  const authority = rest.split(/[/?#]/, 1)[0] ?? '';
  if (!authority.includes('@') && rest.includes('@')) {
    return 'has `/`, `?` or `#` in its user or password; write them as %2F, %3F, %23, or take the password from ${VARIABLE}';
  }
  if (authority.replace(/^.*@/, '') === '') return 'names no host';
  // Several hosts are legal for MongoDB only, which URL does not know.
  return scheme.startsWith('mongodb') || URL.canParse(url) ? null : 'is no valid URL; check its port and escapes';
}
