import type { Column } from '../../core/table.ts';

/**
 * A name as Avro allows it: letters, digits and `_`, no digit first. As Debezium's `schema.name.adjustment.mode=avro` does it: `_` for
 * what is not allowed, and before a leading digit.
 */
export function avroName(name: string): string {
  const legal = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return /^[A-Za-z_]/.test(legal) ? legal : `_${legal}`;
}

/** A topic as an Avro namespace: every part between dots is a name. */
export function avroNamespace(topic: string): string {
  return topic.split('.').map(avroName).join('.');
}

/** The field names of columns, in their order. Where two columns would get one name, the later one gets a number behind it. */
export function fieldNames(columns: readonly Column[]): readonly string[] {
  const taken = new Set(columns.map((column) => column.name).filter((name) => avroName(name) === name));
  return columns.map((column) => {
    const wanted = avroName(column.name);
    if (wanted === column.name) return wanted;
    let name = wanted;
    for (let i = 2; taken.has(name); i++) name = `${wanted}_${i}`;
    taken.add(name);
    return name;
  });
}
