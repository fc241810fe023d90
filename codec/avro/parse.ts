import { LockstepError } from '../../core/errors.ts';

/** An Avro schema, parsed: names resolved, attributes of Connect's AvroConverter beside each type. */
export type AvroType = Primitive | AvroRecord | AvroEnum | AvroArray | AvroMap | AvroFixed | AvroUnion;

/** Attributes that any type may carry. */
export interface Attributes {
  /** `connect.name`, empty where there is none. */
  readonly semantic: string;
  readonly logicalType: string;
  readonly precision: number;
  readonly scale: number;
  /** `connect.parameters`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly connectType: string;
  /** Our own attribute as it stands there. */
  readonly lockstep: unknown;
}

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
export interface Primitive extends Attributes {
  readonly type: (typeof primitives)[number];
}
export interface AvroRecord extends Attributes {
  readonly type: 'record';
  /** With its namespace. */
  readonly name: string;
  readonly fields: readonly AvroField[];
}
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly hasDefault: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  readonly lockstep: unknown;
}
export interface AvroEnum extends Attributes {
  readonly type: 'enum';
  readonly name: string;
  readonly symbols: readonly string[];
}
export interface AvroArray extends Attributes {
  readonly type: 'array';
  readonly items: AvroType;
}
export interface AvroMap extends Attributes {
  readonly type: 'map';
  readonly values: AvroType;
}
export interface AvroFixed extends Attributes {
  readonly type: 'fixed';
  readonly name: string;
  readonly size: number;
}
export interface AvroUnion extends Attributes {
  readonly type: 'union';
  readonly branches: readonly AvroType[];
}

/** Parses a schema (JSON text). KAFKA_MESSAGE where it is none. Source: https://avro.apache.org/docs/1.12.0/specification/ */
export function parseSchema(text: string): AvroType {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new LockstepError('KAFKA_MESSAGE', 'a schema in the registry is not JSON', { cause: error });
  }
  return parseType(json, '', new Map());
}

type Names = Map<string, AvroType>;

function parseType(json: unknown, namespace: string, names: Names): AvroType {
  if (typeof json === 'string') return byName(json, namespace, names);
  if (Array.isArray(json))
    return { type: 'union', branches: json.map((branch) => parseType(branch, namespace, names)), ...none };
  const object = objectOf(json);
  if (object === null) throw invalid('a type is neither a name, a list nor an object');
  const { type } = object;
  if (typeof type !== 'string') return parseType(type, namespace, names);
  const attributes = attributesOf(object);
  switch (type) {
    case 'record':
    case 'error':
      return parseRecord(object, attributes, namespace, names);
    case 'enum':
      return named(object, namespace, names, (name) => ({
        type: 'enum',
        name,
        symbols: texts(object['symbols']),
        ...attributes,
      }));
    case 'fixed':
      return named(object, namespace, names, (name) => ({
        type: 'fixed',
        name,
        size: whole(object['size']),
        ...attributes,
      }));
    case 'array':
      return { type: 'array', items: parseType(object['items'], namespace, names), ...attributes };
    case 'map':
      return { type: 'map', values: parseType(object['values'], namespace, names), ...attributes };
    default: {
      const primitive = primitives.find((name) => name === type);
      return primitive === undefined ? byName(type, namespace, names) : { type: primitive, ...attributes };
    }
  }
}

function parseRecord(
  object: Readonly<Record<string, unknown>>,
  attributes: Attributes,
  namespace: string,
  names: Names,
): AvroRecord {
  const name = fullName(object, namespace);
  const fields: AvroField[] = [];
  const record: AvroRecord = { type: 'record', name, fields, ...attributes };
  names.set(name, record);
  const inner = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  for (const item of list(object['fields'])) {
    const field = objectOf(item);
    if (field === null || typeof field['name'] !== 'string') throw invalid(`record ${name} has a field without a name`);
    fields.push({
      name: field['name'],
      type: parseType(field['type'], inner, names),
      hasDefault: field['default'] !== undefined,
      parameters: parametersOf(field),
      lockstep: field['lockstep'],
    });
  }
  return record;
}

function named<T extends AvroType>(
  object: Readonly<Record<string, unknown>>,
  namespace: string,
  names: Names,
  make: (name: string) => T,
): T {
  const name = fullName(object, namespace);
  const type = make(name);
  names.set(name, type);
  return type;
}

function fullName(object: Readonly<Record<string, unknown>>, namespace: string): string {
  const { name, namespace: own } = object;
  if (typeof name !== 'string') throw invalid('a record, enum or fixed has no name');
  if (name.includes('.')) return name;
  const space = typeof own === 'string' ? own : namespace;
  return space === '' ? name : `${space}.${name}`;
}

function byName(name: string, namespace: string, names: Names): AvroType {
  const primitive = primitives.find((one) => one === name);
  if (primitive !== undefined) return { type: primitive, ...none };
  const known = names.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`) ?? names.get(name);
  if (known === undefined) throw invalid(`type ${name} is not defined`);
  return known;
}

const none: Attributes = {
  semantic: '',
  logicalType: '',
  precision: 0,
  scale: 0,
  parameters: {},
  connectType: '',
  lockstep: undefined,
};

function attributesOf(object: Readonly<Record<string, unknown>>): Attributes {
  return {
    semantic: text(object['connect.name']),
    logicalType: text(object['logicalType']),
    precision: whole(object['precision']),
    scale: whole(object['scale']),
    parameters: parametersOf(object),
    connectType: text(object['connect.type']),
    lockstep: object['lockstep'],
  };
}

function parametersOf(object: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(objectOf(object['connect.parameters']) ?? {}).map(([name, value]) => [name, text(value)]),
  );
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> | null {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? Object.fromEntries(Object.entries(json))
    : null;
}

function list(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw invalid('a list is missing');
  return json;
}

function texts(json: unknown): readonly string[] {
  return list(json).map(text);
}

function text(json: unknown): string {
  return typeof json === 'string' ? json : '';
}

function whole(json: unknown): number {
  return typeof json === 'number' && Number.isInteger(json) ? json : 0;
}

function invalid(problem: string): LockstepError {
  return new LockstepError('KAFKA_MESSAGE', `a schema in the registry is not Avro: ${problem}`);
}
