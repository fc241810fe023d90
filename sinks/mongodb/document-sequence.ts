import { createRequire } from 'node:module';

/** The driver's own, which it does not export: documents of a command that are serialized already (OP_MSG's sections of kind 1). */
interface DocumentSequence {
  push(document: object, serialized: Uint8Array): number;
}

const load = createRequire(import.meta.url);
const driver = load('mongodb/lib/cmap/commands.js') as {
  readonly DocumentSequence: new (field: string) => DocumentSequence;
};

/**
 * Serialized documents, one behind the other, as the array `field` of a command for `Db.command`, which then sends the bytes as they are. The driver
 * itself uses it so for bulk writes (7.8). What it keeps of each document is for those who listen to its commands: here there is none.
 */
export function documentSequence(field: 'documents' | 'updates' | 'deletes', bytes: Uint8Array): object {
  const sequence = new driver.DocumentSequence(field);
  sequence.push({}, bytes);
  return sequence;
}
