import avro from 'avsc';
import { parseSchema } from '../avro/parse.ts';
import { explainMismatch } from './explain.ts';
import type { Level } from './levels.ts';

/** Why a schema (JSON text) is not valid Avro; null where it is. */
export function schemaProblem(schema: string): string | null {
  try {
    avroType(schema);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Why `newer` may not follow `older` (oldest first) at a level; empty where it may. */
export function incompatibilities(newer: string, older: readonly string[], level: Level): readonly string[] {
  const [direction, reach] = level.split('_');
  const checked = reach === 'TRANSITIVE' ? older : older.slice(-1);
  return checked.flatMap((schema) => [
    ...(direction === 'BACKWARD' || direction === 'FULL'
      ? unreadable(newer, schema, 'older data with the newer schema')
      : []),
    ...(direction === 'FORWARD' || direction === 'FULL'
      ? unreadable(schema, newer, 'newer data with the older schema')
      : []),
  ]);
}

/** avsc decides; our own walk says where. */
function unreadable(reader: string, writer: string, what: string): readonly string[] {
  try {
    avroType(reader).createResolver(avroType(writer));
    return [];
  } catch (error) {
    const where = explainMismatch(parseSchema(reader), parseSchema(writer));
    const reasons = where.length > 0 ? where : [error instanceof Error ? error.message : String(error)];
    return reasons.map((reason) => `${reason} (reading ${what})`);
  }
}

/** Unions are wrapped, or avsc refuses those whose branches look alike in JavaScript. */
function avroType(schema: string): avro.Type {
  const json: unknown = JSON.parse(schema);
  return avro.Type.forSchema(schemaOf(json), { wrapUnions: true });
}

/** avsc checks what it is given; its own type for that says more than JSON text can. */
function schemaOf(json: unknown): avro.Schema {
  return json as avro.Schema;
}
