import type { TableSchema } from '../../core/table.ts';
import { compileDecoder, schemaIdOf, type Decoder } from '../../codec/avro/decode.ts';
import { tableFromSchema } from '../../codec/avro/table.ts';
import type { KafkaRecord } from '../../codec/kafka/batch-reader.ts';
import type { Registry } from '../../codec/registry/registry.ts';

/** Everything needed to read the messages written with one pair of schemas. */
export interface MessageReader {
  readonly table: TableSchema;
  readonly decoder: Decoder;
}

/** Message readers by schema id, compiled once per pair of key and value schema and shared by all partitions. */
export class Schemas {
  readonly #registry: Registry;
  readonly #readers = new Map<string, MessageReader>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Makes a reader for every schema that the records use. Throws REGISTRY_UNREACHABLE, REGISTRY_REFUSED, KAFKA_MESSAGE. */
  async prepare(records: readonly KafkaRecord[], signal: AbortSignal): Promise<void> {
    let [lastKey, lastValue]: [number | null, number | null] = [null, null];
    for (const { key, value } of records) {
      if (value === null) continue;
      const valueId = schemaIdOf(value);
      const keyId = key === null ? null : schemaIdOf(key);
      if (valueId === null || (valueId === lastValue && keyId === lastKey)) continue;
      [lastKey, lastValue] = [keyId, valueId];
      if (!this.#readers.has(pair(keyId, valueId))) await this.#compile(keyId, valueId, signal);
    }
  }

  /** The reader for messages with these schema ids; undefined unless `prepare` has seen them. */
  reader(keyId: number | null, valueId: number): MessageReader | undefined {
    return this.#readers.get(pair(keyId, valueId));
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
