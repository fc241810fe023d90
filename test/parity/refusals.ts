import type { Code } from '../../core/errors.ts';
import type { Place } from './exceptions.ts';

/** A value that a place refuses: the pipeline stops with a code, and nothing else comes in the value's stead. */
export interface Refusal {
  readonly in: Place;
  readonly what: string;
  readonly code: Code;
  readonly because: string;
  /** Where the same value arrives as it is. */
  readonly heldBy: readonly Place[];
  /** The column's definition, and the value in SQL. */
  readonly column: string;
  readonly value: string;
}

const zero = { what: 'zero and partial dates in a column that is NOT NULL', because: 'there is no date to put there' };
const nul = { code: 'TARGET_VALUE_UNSUPPORTED', because: 'PostgreSQL has no U+0000' } as const;

/** Everything that is refused. What becomes something else without a stop is in exceptions.ts. */
export const refusals: readonly Refusal[] = [
  ...[
    "DATE NOT NULL '0000-00-00'",
    "DATETIME(3) NOT NULL '2020-00-10 01:02:03'",
    "TIMESTAMP NOT NULL '0000-00-00 00:00:00'",
  ].flatMap((text): Refusal[] => {
    const column = text.slice(0, text.indexOf("'") - 1);
    const value = text.slice(text.indexOf("'"));
    return [
      { ...zero, in: 'postgres', code: 'TARGET_VALUE_UNSUPPORTED', heldBy: [], column, value },
      { ...zero, in: 'mongodb', code: 'TARGET_VALUE_UNSUPPORTED', heldBy: [], column, value },
      { ...zero, in: 'avro', code: 'KAFKA_MESSAGE', heldBy: [], column, value },
    ];
  }),
  {
    ...nul,
    in: 'postgres',
    what: 'U+0000 in text',
    heldBy: ['mongodb', 'avro'],
    column: 'VARCHAR(9)',
    value: "'a\\0b'",
  },
  { ...nul, in: 'postgres', what: 'U+0000 in text', heldBy: ['mongodb', 'avro'], column: 'LONGTEXT', value: "'\\0'" },
  {
    ...nul,
    in: 'postgres',
    what: 'U+0000 in JSON',
    heldBy: ['mongodb', 'avro'],
    column: 'JSON',
    value: `'{"a": "\\\\u0000"}'`,
  },
  {
    in: 'mongodb',
    what: 'U+0000 in a key of JSON',
    code: 'TARGET_VALUE_UNSUPPORTED',
    because: 'it ends the name of a field in BSON',
    heldBy: ['avro'],
    column: 'JSON',
    value: `'{"\\\\u0000": 1}'`,
  },
];
