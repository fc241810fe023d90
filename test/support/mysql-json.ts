import type { Random } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';
import type { Flavour } from './mysql-run.ts';

/** Expressions that give JSON values which only look easy. */
export function jsonEdges(flavour: Flavour): string[] {
  const texts = [
    'null',
    'true',
    '[]',
    '{}',
    '""',
    '"\\u0000\\u001f\\"\\\\ \\/ ž 🙂"',
    '{"b": 1, "a": [1.5, null, "\\t"], "__proto__": {"d": -0.001}, "": 0, "longer": 2}',
    '[0, -1, 32767, -32768, 65535, 32768, 2147483647, -2147483648, 4294967295, 9223372036854775807, 18446744073709551615]',
    '[1.0, 1.50, 1e2, 1e15, 1e16, 123456789012345680, 1e-5, 1e-15, 1e300, -0.0, 0.1, 5e-324, 1.7976931348623157e308]',
    '12345678901234567890',
    `[${Array.from({ length: 20_000 }, (_, i) => i * 7).join()}]`,
    `{${Array.from({ length: 3000 }, (_, i) => `"key ${i}": {"n": ${i * 100_003}, "t": "${'x'.repeat(20)}", "b": [true, false, null]}`).join()}}`,
    `${'['.repeat(30)}1${']'.repeat(30)}`,
    `["${'long '.repeat(20_000)}", 1]`,
  ].map(literal);
  return flavour === 'mariadb' ? texts : [...texts, ...opaques];
}

const opaques = [
  "JSON_ARRAY(CAST('1.50' AS DECIMAL(10,2)), CAST('-0.00000000000000000001' AS DECIMAL(40,20)), CAST(99999999999999999999 AS DECIMAL(65,0)))",
  "JSON_ARRAY(CAST('2020-02-29' AS DATE), CAST('2020-01-02 03:04:05.678901' AS DATETIME(6)), CAST('0000-00-00' AS DATE))",
  "JSON_ARRAY(CAST('-838:59:59' AS TIME), CAST('12:00:00.5' AS TIME(1)), CAST('00:00:00' AS TIME), CAST('-00:00:00.000001' AS TIME(6)))",
  "JSON_ARRAY(TIMESTAMP('2020-01-02 03:04:05'), CAST('2020' AS YEAR))",
  "JSON_ARRAY(x'00ff10', b'101', CAST('abc' AS BINARY))",
  "JSON_OBJECT('d', 1.50, 'e', 1e0, 'f', CAST(1 AS UNSIGNED), 'g', true)",
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
