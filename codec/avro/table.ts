import { z } from 'zod';
import { LockstepError } from '../../core/errors.ts';
import type { ColumnType, TableSchema } from '../../core/table.ts';
import { envelopeOf } from './envelope.ts';
import { foreignTable } from './foreign.ts';
import { parseSchema } from './parse.ts';

/**
 * The table that a topic's schemas (JSON text) describe: exactly the one it was written from where we wrote it, else derived
 * from Debezium's semantic names and parameters. `keySchema` is null where the topic has no Avro keys. KAFKA_MESSAGE where a field's
 * type is not understood.
 */
export function tableFromSchema(valueSchema: string, keySchema: string | null): TableSchema {
  const { envelope, value } = envelopeOf(parseSchema(valueSchema));
  if (value.lockstep !== undefined) return parseTable(value.lockstep, value.name);
  return foreignTable(envelope, value, keySchema === null ? null : parseSchema(keySchema));
}

function parseTable(json: unknown, where: string): TableSchema {
  const parsed = tableJson.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new LockstepError(
    'KAFKA_MESSAGE',
    `the attribute lockstep of schema ${where} is no table schema of this version`,
    {
      fix: 'publish with the same version of Lockstep as you consume with',
      cause: parsed.error,
    },
  );
}

const count = z.number().int().nonnegative();
const labels = z.array(z.string());

const typeJson = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('int'),
    bits: z.union([z.literal(8), z.literal(16), z.literal(24), z.literal(32)]),
    unsigned: z.boolean(),
  }),
  z.object({ kind: z.literal('bigint'), unsigned: z.boolean() }),
  z.object({ kind: z.literal('decimal'), precision: count, scale: count }),
  z.object({ kind: z.enum(['char', 'varchar']), length: count }),
  z.object({ kind: z.enum(['binary', 'varbinary']), length: count }),
  z.object({ kind: z.literal('bit'), length: count }),
  z.object({ kind: z.enum(['datetime', 'timestamp', 'time']), digits: count }),
  z.object({ kind: z.enum(['enum', 'set']), labels }),
  z.object({ kind: z.literal('geometry'), shape: z.string() }),
  z.object({ kind: z.literal('vector'), dimension: count }),
  z.object({ kind: z.enum(['float', 'double']) }),
  z.object({ kind: z.enum(['date', 'year']) }),
  z.object({ kind: z.enum(['uuid', 'inet4', 'inet6']) }),
  z.object({ kind: z.literal('boolean') }),
  z.object({ kind: z.literal('text') }),
  z.object({ kind: z.literal('blob') }),
  z.object({ kind: z.literal('json') }),
]) satisfies z.ZodType<ColumnType>;

const tableJson = z.object({
  database: z.string(),
  name: z.string(),
  origin: z.string(),
  columns: z.array(
    z.object({
      name: z.string(),
      type: typeJson,
      declared: z.string(),
      nullable: z.boolean(),
      charset: z.string().nullable(),
      generated: z.enum(['virtual', 'stored']).nullable(),
      default: z.string().nullable(),
      autoIncrement: z.boolean(),
    }),
  ),
  key: z.array(count),
  fingerprint: z.string(),
}) satisfies z.ZodType<TableSchema>;
