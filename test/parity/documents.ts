import type { Random } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';
import type { Edge, ParityColumn } from './column.ts';

/** JSON that only looks easy. Nothing with U+0000: see exceptions.ts. */
const easy = [
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"\\u0001\\u001f\\"\\\\ \\/ ž 🙂"',
  '{"b": 1, "a": [1.5, null, "\\t"], "__proto__": {"d": -0.001}, "": 0, "longer": 2}',
  '{"1": "a", "0": "b", "$set": 1, "a.b": {"_bsontype": "x"}}',
  '[0, -1, 32767, -32768, 65535, 32768, 2147483647, -2147483648, 4294967295, 9223372036854775807, 18446744073709551615]',
  '[1.0, 1.50, 1e2, 1e15, 1e16, 123456789012345680, 1e-5, 1e-15, 1e300, 0.1, 5e-324, 1.7976931348623157e308]',
  '12345678901234567890',
  '1.2345678901234567e19',
].map((text): Edge => ({ sql: literal(text), label: text }));

const large: Edge[] = [
  { label: '20,000 numbers', sql: literal(`[${Array.from({ length: 20_000 }, (_, i) => i * 7).join()}]`) },
  {
    label: '3,000 objects in an object',
    sql: literal(
      `{${Array.from({ length: 3000 }, (_, i) => `"key ${i}": {"n": ${i * 100_003}, "t": "${'x'.repeat(20)}", "b": [true, false, null]}`).join()}}`,
    ),
  },
  { label: 'a list in a list, 31 deep', sql: literal(`${'['.repeat(30)}1${']'.repeat(30)}`) },
  { label: 'a text of 100,000 characters', sql: literal(`["${'long '.repeat(20_000)}", 1]`) },
];

/** MariaDB takes 32 levels. */
const deep: Edge = {
  label: 'an object in an object, 99 deep',
  sql: literal(`${'{"k": '.repeat(98)}1${'}'.repeat(98)}`),
};

/** What JSON made by the server's own functions holds beside JSON's types. */
const opaques: Edge[] = [
  "JSON_ARRAY(CAST('1.50' AS DECIMAL(10,2)), CAST('-0.00000000000000000001' AS DECIMAL(40,20)))",
  'JSON_ARRAY(CAST(99999999999999999999 AS DECIMAL(65,0)))',
  `JSON_ARRAY(CAST(${'9'.repeat(65)} AS DECIMAL(65,0)))`,
  "JSON_ARRAY(CAST('2020-02-29' AS DATE), CAST('0000-00-00' AS DATE))",
  "JSON_ARRAY(CAST('2020-01-02 03:04:05.678901' AS DATETIME(6)), CAST('2020-01-02 03:04:05' AS DATETIME))",
  "JSON_ARRAY(TIMESTAMP('2020-01-02 03:04:05'), CAST('2020' AS YEAR))",
  "JSON_ARRAY(CAST('-838:59:59' AS TIME), CAST('12:00:00.5' AS TIME(1)), CAST('00:00:00' AS TIME))",
  "JSON_ARRAY(CAST('-00:00:00.000001' AS TIME(6)), CAST('-12:34:56.000001' AS TIME(6)))",
  "JSON_ARRAY(x'00ff10', CAST('abc' AS BINARY), CAST('' AS BINARY))",
  "JSON_ARRAY(b'101', b'1111111111111111')",
  "JSON_OBJECT('d', 1.50, 'e', 1e0, 'f', CAST(1 AS UNSIGNED), 'g', true)",
  "CAST(CAST('2020-02-29' AS DATE) AS JSON)",
  "CAST(ST_GeomFromText('POINT(1 2)') AS JSON)",
].map((sql) => ({ sql }));

/** What only a server that keeps the text as it was written has. */
const asWritten: Edge[] = [
  ' { "b" : 1 , "a" : [ 1.50 , 1E2 ] } ',
  '{"twice": 1, "twice": 2}',
  '[1e400, -1e-400, 1E+5, -0, -0.0]',
  `[${'9'.repeat(65)}, 0.${'1'.repeat(65)}]`,
  '"\\u00e9\\ud83d\\ude42"',
].map((text) => ({ sql: literal(text), label: text }));

export const documents: readonly ParityColumn[] = [
  {
    sql: 'JSON',
    edges: [...easy, ...large, deep, ...opaques],
    random: jsonDocument,
    only: 'mysql',
    note: 'the text that the server itself prints; jsonb and BSON keep the content, not the spacing',
  },
  {
    sql: 'JSON',
    edges: [...easy, ...large, ...asWritten],
    random: jsonDocument,
    only: 'mariadb',
    note: 'the text as it was written',
  },
];

/** A random document as an SQL literal. */
export function jsonDocument(random: Random): string {
  return literal(value(random, 3));
}

function value(random: Random, depth: number): string {
  const kind = random.int(depth > 0 ? 8 : 6);
  const several = (item: () => string): string => Array.from({ length: random.int(6) }, item).join(', ');
  switch (kind) {
    case 0:
      return random.pick(['null', 'true', 'false']);
    case 1:
      return String(random.int(2 ** 17) - 2 ** 16);
    case 2:
      return String(BigInt.asIntN(64, BigInt(`0x${random.bytes(8).toString('hex')}`)));
    case 3:
      return String((random.next() - 0.5) * 10 ** random.between(-30, 30));
    case 4:
      return String(random.int(1000) / random.pick([1, 10, 100, 8, 3]));
    case 5:
      return JSON.stringify(
        Array.from({ length: random.int(40) }, () => random.pick([...'ab"\\\n\u0001ž🙂 /'] as [string])).join(''),
      );
    case 6:
      return `[${several(() => value(random, depth - 1))}]`;
    default:
      return `{${several(() => `${JSON.stringify(`k${random.int(50)}`)}: ${value(random, depth - 1)}`)}}`;
  }
}
