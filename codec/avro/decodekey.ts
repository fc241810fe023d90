import type { Row, Value } from '../../core/contracts.ts';
import type { TableSchema } from '../../core/table.ts';
import { compileColumnReader } from './decodecolumn.ts';
import { columnName } from './envelope.ts';
import { parseSchema } from './parse.ts';
import { AvroReader } from './reader.ts';
import { HEADER_BYTES } from './writer.ts';

/** Decodes one key (a whole message) into a row in which only the key's columns have values; the others are null. */
export type KeyDecoder = (key: Buffer) => Row;

/**
 * A decoder for keys written with `keySchema` (JSON text). Null where it is not the key of `table`: a marker's, or one of other columns.
 * KAFKA_MESSAGE where a field cannot be read as its column.
 */
export function compileKeyDecoder(keySchema: string, table: TableSchema): KeyDecoder | null {
  const type = parseSchema(keySchema);
  if (type.type !== 'record') return null;
  const places = type.fields.map((field) => table.columns.findIndex(({ name }) => name === columnName(field)));
  if (places.length !== table.key.length || !places.every((place) => table.key.includes(place))) return null;
  const fields = type.fields.flatMap((field, i) => {
    const place = places[i] ?? -1;
    const column = table.columns[place];
    return column === undefined ? [] : [{ place, read: compileColumnReader(field.type, column, table.origin) }];
  });
  const blank: Row = table.columns.map(() => null);
  const reader = new AvroReader();
  return (key) => {
    reader.open(key, HEADER_BYTES);
    const row: Value[] = blank.slice();
    for (const { place, read } of fields) row[place] = read(reader);
    return row;
  };
}
