import type { AvroField, AvroRecord, AvroType } from '../avro/parse.ts';

/**
 * Why data written with `writer` cannot be read with `reader`, field by field in whole phrases; empty where it can. The rules are
 * Avro's schema resolution (https://avro.apache.org/docs/1.12.0/specification/#schema-resolution).
 */
export function explainMismatch(reader: AvroType, writer: AvroType): readonly string[] {
  return mismatch(reader, writer, '', new Set());
}

function mismatch(reader: AvroType, writer: AvroType, path: string, seen: Set<AvroType>): readonly string[] {
  if (writer.type === 'union') return unionWriter(reader, writer.branches, path, seen);
  if (reader.type === 'union') {
    const found = reader.branches.map((branch) => mismatch(branch, writer, path, new Set(seen)));
    if (found.some((problems) => problems.length === 0)) return [];
    return found.find((_, i) => reader.branches[i]?.type === writer.type) ?? [changed(reader, writer, path)];
  }
  if (reader.type === 'record' && writer.type === 'record') return records(reader, writer, path, seen);
  if (reader.type === 'array' && writer.type === 'array') return mismatch(reader.items, writer.items, path, seen);
  if (reader.type === 'map' && writer.type === 'map') return mismatch(reader.values, writer.values, path, seen);
  if (reader.type === 'enum' && writer.type === 'enum') {
    const gone = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
    return gone.length === 0 ? [] : [`${at(path)} lost the symbols ${gone.join(', ')}`];
  }
  if (reader.type === 'fixed' && writer.type === 'fixed')
    return reader.size === writer.size ? [] : [changed(reader, writer, path)];
  return reader.type === writer.type || promotions[writer.type]?.includes(reader.type) === true
    ? []
    : [changed(reader, writer, path)];
}

const promotions: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
};

/** Each branch that may have been written must be readable. */
function unionWriter(
  reader: AvroType,
  branches: readonly AvroType[],
  path: string,
  seen: Set<AvroType>,
): readonly string[] {
  const nullable =
    reader.type === 'null' || (reader.type === 'union' && reader.branches.some((branch) => branch.type === 'null'));
  return branches.flatMap((branch) => {
    if (branch.type === 'null' && !nullable) return [`${at(path)} may be null on one side and not on the other`];
    return mismatch(reader, branch, path, seen);
  });
}

function records(reader: AvroRecord, writer: AvroRecord, path: string, seen: Set<AvroType>): readonly string[] {
  if (seen.has(reader)) return [];
  seen.add(reader);
  if (shortName(reader) !== shortName(writer))
    return [`${at(path)} is the record ${reader.name} on one side and ${writer.name} on the other`];
  return reader.fields.flatMap((field) =>
    fieldMismatch(field, writer, path === '' ? field.name : `${path}.${field.name}`, seen),
  );
}

function fieldMismatch(field: AvroField, writer: AvroRecord, path: string, seen: Set<AvroType>): readonly string[] {
  const written = writer.fields.find((one) => one.name === field.name);
  if (written !== undefined) return mismatch(field.type, written.type, path, seen);
  return field.hasDefault ? [] : [`${at(path)} has no default and is missing on the other side`];
}

function shortName(record: AvroRecord): string {
  return record.name.slice(record.name.lastIndexOf('.') + 1);
}

function changed(reader: AvroType, writer: AvroType, path: string): string {
  return `${at(path)} is ${named(reader)} on one side and ${named(writer)} on the other`;
}

function named(type: AvroType): string {
  if (type.type === 'union') return type.branches.map(named).join(' or ');
  return 'name' in type ? type.name : type.type;
}

function at(path: string): string {
  return path === '' ? 'the schema' : `field ${path}`;
}
