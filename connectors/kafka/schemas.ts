import type { TableSchema } from '../../core/table.ts';
import { compileDecoder, schemaIdOf, type Decoder } from '../../codec/avro/decode.ts';
import { compileKeyDecoder, type KeyDecoder } from '../../codec/avro/decodekey.ts';
import { tableFromSchema } from '../../codec/avro/table.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';
import { valueSubject } from '../../codec/kafka/names.ts';
import type { Registry } from '../../codec/registry/registry.ts';

/** Everything needed to read the messages written with one pair of schemas. */
export interface MessageReader {
  readonly table: TableSchema;
  readonly decoder: Decoder;
}

/** Everything needed to read the keys of tombstones. */
export interface KeyReader {
  readonly table: TableSchema;
  readonly decode: KeyDecoder;
}

/** Message readers by schema id, compiled once per pair of key and value schema and shared by all partitions. */
export class Schemas {
  readonly #registry: Registry;
  readonly #readers = new Map<string, MessageReader>();
  readonly #keySchemas = new Map<number, string>();
  readonly #keyReaders = new Map<string, KeyReader | null>();
  readonly #newest = new Map<string, TableSchema | null>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Makes a reader for every schema that the topic's records use. Throws REGISTRY_UNREACHABLE, REGISTRY_REFUSED, KAFKA_MESSAGE. */
  async prepare(topic: string, records: readonly KafkaRecord[], signal: AbortSignal): Promise<void> {
    let [lastKey, lastValue]: [number | null, number | null] = [null, null];
    for (const { key, value } of records) {
      const keyId = key === null ? null : schemaIdOf(key);
      if (value === null) {
        if (keyId !== null) await this.#prepareKey(topic, keyId, signal);
        continue;
      }
      const valueId = schemaIdOf(value);
      if (valueId === null || (valueId === lastValue && keyId === lastKey)) continue;
      [lastKey, lastValue] = [keyId, valueId];
      if (!this.#readers.has(pair(keyId, valueId))) await this.#compile(keyId, valueId, signal);
    }
  }

  /** The reader for messages with these schema ids; undefined unless `prepare` has seen them. */
  reader(keyId: number | null, valueId: number): MessageReader | undefined {
    return this.#readers.get(pair(keyId, valueId));
  }

  /**
   * The reader for a tombstone's key, of the table as a message before it had it, else of the topic's newest. Undefined unless `prepare`
   * has seen the key's schema, and where it is not the table's key.
   */
  keyReader(topic: string, keyId: number, before: TableSchema | null): KeyReader | undefined {
    const schema = this.#keySchemas.get(keyId);
    if (schema === undefined) return undefined;
    return (
      (before === null ? null : this.#keyReaderOf(keyId, schema, before)) ??
      this.#keyReaderOf(keyId, schema, this.#newest.get(topic) ?? null) ??
      undefined
    );
  }

  #keyReaderOf(keyId: number, schema: string, table: TableSchema | null): KeyReader | null {
    if (table === null) return null;
    const name = `${keyId}:${table.fingerprint}`;
    let reader = this.#keyReaders.get(name);
    if (reader === undefined) {
      const decode = compileKeyDecoder(schema, table);
      reader = decode === null ? null : { table, decode };
      this.#keyReaders.set(name, reader);
    }
    return reader;
  }

  async #prepareKey(topic: string, keyId: number, signal: AbortSignal): Promise<void> {
    if (!this.#keySchemas.has(keyId)) this.#keySchemas.set(keyId, await this.#registry.schema(keyId, signal));
    if (this.#newest.has(topic)) return;
    const newest = await this.#registry.latest(valueSubject(topic), signal);
    const keySchema = this.#keySchemas.get(keyId) ?? null;
    this.#newest.set(topic, newest === null ? null : tableFromSchema(newest.schema, keySchema));
  }

  async #compile(keyId: number | null, valueId: number, signal: AbortSignal): Promise<void> {
    const valueSchema = await this.#registry.schema(valueId, signal);
    const keySchema = keyId === null ? null : await this.#registry.schema(keyId, signal);
    const table = tableFromSchema(valueSchema, keySchema);
    this.#readers.set(pair(keyId, valueId), { table, decoder: compileDecoder(valueSchema, table) });
  }
}

function pair(keyId: number | null, valueId: number): string {
  return `${keyId ?? ''}:${valueId}`;
}
