import { unreachable } from '../../core/errors.ts';
import type { AvroRecord, AvroType } from './parse.ts';
import type { AvroReader } from './reader.ts';

/** Reads over a value. */
export type Skip = (reader: AvroReader) => void;

/** Compiles what reads over values of a type; `known` is for records that hold themselves. */
export function compileSkip(type: AvroType, known = new Map<AvroRecord, Skip>()): Skip {
  switch (type.type) {
    case 'null':
      return () => undefined;
    case 'boolean':
      return (reader) => void reader.byte();
    case 'int':
    case 'long':
    case 'enum':
      return (reader) => void reader.long();
    case 'float':
      return (reader) => reader.skip(4);
    case 'double':
      return (reader) => reader.skip(8);
    case 'bytes':
    case 'string':
      return (reader) => reader.skip(reader.size());
    case 'fixed':
      return (reader) => reader.skip(type.size);
    case 'array':
      return skipBlocks(compileSkip(type.items, known));
    case 'map': {
      const value = compileSkip(type.values, known);
      return skipBlocks((reader) => {
        reader.skip(reader.size());
        value(reader);
      });
    }
    case 'union': {
      const branches = type.branches.map((branch) => compileSkip(branch, known));
      return (reader) => branches[reader.size()]?.(reader);
    }
    case 'record':
      return skipRecord(type, known);
    default:
      return unreachable(type);
  }
}

function skipRecord(type: AvroRecord, known: Map<AvroRecord, Skip>): Skip {
  const again = known.get(type);
  if (again !== undefined) return again;
  const fields: Skip[] = [];
  const skip: Skip = (reader) => {
    for (const field of fields) field(reader);
  };
  known.set(type, skip);
  for (const field of type.fields) fields.push(compileSkip(field.type, known));
  return skip;
}

/** Blocks of items: a count, negative when the block's size in bytes follows; the last block has count 0. */
function skipBlocks(item: Skip): Skip {
  return (reader) => {
    for (let count = reader.long(); count !== 0; count = reader.long()) {
      if (count < 0) reader.skip(reader.size());
      else for (let i = 0; i < count; i++) item(reader);
    }
  };
}
