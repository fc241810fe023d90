import type { RegistryStore, StoredRecord } from '../../../codec/registry/builtin.ts';

/** A log in memory that several registries may have open, compacted as Kafka may at any time: only the last record of a key stays. */
export function memoryStore(): RegistryStore & { readonly records: StoredRecord[] } {
  const records: StoredRecord[] = [];
  return {
    records,
    async load() {
      const lastOf = new Map(records.map((record, i) => [record.key, i]));
      return records.filter((record, i) => lastOf.get(record.key) === i);
    },
    async append(record) {
      records.push(record);
    },
    async close() {},
  };
}
