import { LockstepError } from '../../core/errors.ts';
import type { AvroField, AvroRecord, AvroType } from './parse.ts';

/** Debezium's envelope in a value schema: the record itself and the record of its rows. KAFKA_MESSAGE for anything else. */
export function envelopeOf(type: AvroType): { readonly envelope: AvroRecord; readonly value: AvroRecord } {
  const after = type.type === 'record' ? type.fields.find((field) => field.name === 'after') : undefined;
  const value = after === undefined ? null : recordIn(after.type);
  if (type.type !== 'record' || value === null || !type.fields.some((field) => field.name === 'op')) {
    throw new LockstepError(
      'KAFKA_MESSAGE',
      `the schema ${'name' in type ? type.name : type.type} is no Debezium envelope with before, after and op`,
      {
        fix: "leave the topic out, or take ExtractNewRecordState out of its producer's transforms",
      },
    );
  }
  return { envelope: type, value };
}

function recordIn(type: AvroType): AvroRecord | null {
  if (type.type === 'record') return type;
  if (type.type !== 'union') return null;
  return type.branches.map(recordIn).find((record) => record !== null) ?? null;
}

const sourceName = '__debezium.source.column.name';

/** The columns' own names, in the order of the fields: where Avro forbids a name, an attribute keeps it. */
export function columnNames(value: AvroRecord): readonly string[] {
  return value.fields.map(columnName);
}

export function columnName(field: AvroField): string {
  const { lockstep } = field;
  if (typeof lockstep === 'object' && lockstep !== null && 'name' in lockstep && typeof lockstep.name === 'string')
    return lockstep.name;
  return parametersOf(field)[sourceName] ?? field.name;
}

/** Connect's parameters of a field, be they at the field, its type, or the type beside null. */
export function parametersOf(field: AvroField): Readonly<Record<string, string>> {
  const { type } = field;
  const inner = type.type === 'union' ? type.branches.map((branch) => branch.parameters) : [type.parameters];
  return Object.assign({}, ...inner, field.parameters);
}
