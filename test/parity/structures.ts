import { literal } from '../../dev/sql.ts';
import type { Flavour } from '../support/mysql-run.ts';

/** A table whose story is the test: what it is and holds before it is copied, and what happens to it in the stream. */
export interface Structure {
  readonly name: string;
  /** For the published table. */
  readonly title: string;
  readonly copied: readonly string[];
  readonly followed: readonly string[];
  /** Why it does not go through Kafka, where it does not. */
  readonly notByKafka?: string;
  /** The rows that are there change together with the table, which only a real target can do. */
  readonly reshaped?: true;
}

const grown = (flavour: Flavour): readonly Structure[] => [
  {
    name: 'grown',
    title: 'columns added with INSTANT, rows from before and after, in the copy and in the stream',
    copied: [
      'CREATE TABLE grown (id INT PRIMARY KEY, a VARCHAR(10))',
      "INSERT INTO grown VALUES (1, 'old'), (2, NULL)",
      "ALTER TABLE grown ADD COLUMN b INT NOT NULL DEFAULT 7, ADD COLUMN c VARCHAR(10) DEFAULT 'ž', ALGORITHM=INSTANT",
      "INSERT INTO grown VALUES (3, 'new', 8, 'x'), (4, NULL, -1, NULL)",
    ],
    followed: [
      'ALTER TABLE grown ADD COLUMN d DATETIME(3), ALGORITHM=INSTANT',
      "UPDATE grown SET a = 'changed' WHERE id = 1",
      "INSERT INTO grown VALUES (5, 'newer', 9, 'y', '2024-02-29 01:02:03.456')",
      "UPDATE grown SET d = '1999-12-31 23:59:59.999' WHERE id = 2",
      'DELETE FROM grown WHERE id = 3',
    ],
  },
  flavour === 'mysql'
    ? {
        name: 'concealed',
        title: 'a functional index, whose hidden column is in the binary log',
        copied: [
          'CREATE TABLE concealed (id INT PRIMARY KEY, a INT, KEY ((a + 1)), b VARCHAR(9), KEY ((UPPER(b))), c INT)',
          "INSERT INTO concealed VALUES (1, 10, 'x', 100), (2, NULL, NULL, NULL)",
        ],
        followed: [
          "INSERT INTO concealed VALUES (3, -30, 'y', 300)",
          'UPDATE concealed SET a = 11, c = 111 WHERE id = 1',
        ],
      }
    : {
        name: 'concealed',
        title: 'a unique BLOB, whose hash is a hidden column',
        copied: [
          'CREATE TABLE concealed (id INT PRIMARY KEY, a INT, b BLOB, UNIQUE (b), c INT)',
          "INSERT INTO concealed VALUES (1, 10, 'x', 100), (2, NULL, NULL, NULL)",
        ],
        followed: [
          "INSERT INTO concealed VALUES (3, -30, 'y', 300)",
          'UPDATE concealed SET a = 11, c = 111 WHERE id = 1',
        ],
      },
  ...(flavour === 'mysql'
    ? [
        {
          name: 'made',
          title: 'a generated invisible primary key',
          copied: [
            'SET sql_generate_invisible_primary_key = ON',
            'CREATE TABLE made (a INT, b VARCHAR(9))',
            'SET sql_generate_invisible_primary_key = OFF',
            "INSERT INTO made (a, b) VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
          ],
          followed: ["INSERT INTO made (a, b) VALUES (2, 'y')", 'UPDATE made SET a = 3 WHERE b = "x" LIMIT 1'],
        },
      ]
    : []),
  {
    name: 'wide',
    title: '300 columns, every third NULL',
    copied: [
      `CREATE TABLE wide (id INT PRIMARY KEY, ${Array.from({ length: 300 }, (_, i) => `c${i} SMALLINT`).join()})`,
      `INSERT INTO wide VALUES (1, ${thirds(0)}), (2, ${thirds(1)}), (3, ${thirds(2)})`,
    ],
    followed: [`INSERT INTO wide VALUES (4, ${thirds(1)})`, 'UPDATE wide SET c0 = NULL, c299 = 5 WHERE id = 1'],
  },
  {
    name: 'keyless',
    title: 'no key, equal rows',
    copied: ['CREATE TABLE keyless (a INT, b VARCHAR(9))', "INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)"],
    followed: ["INSERT INTO keyless VALUES (1, 'x'), (NULL, NULL)", 'UPDATE keyless SET b = "y" WHERE a = 1 LIMIT 1'],
  },
  {
    name: '`odd names`',
    title: 'names with spaces, quotes, `$`, a digit first, other letters',
    copied: [
      'CREATE TABLE `odd names` (`order-no` INT PRIMARY KEY, `1st` INT, `žluťoučký "kůň"` INT, `SELECT` INT, `a b` INT, `a_b` INT)',
      'INSERT INTO `odd names` VALUES (1, 2, 3, 4, 5, 6)',
    ],
    followed: [
      'INSERT INTO `odd names` VALUES (2, 3, 4, 5, 6, 7)',
      'UPDATE `odd names` SET `a b` = -1 WHERE `order-no` = 1',
    ],
  },
];

function thirds(shift: number): string {
  return Array.from({ length: 300 }, (_, i) => (i % 3 === shift ? 'NULL' : String(i))).join();
}

/** What other tools leave behind in the target when a table changes. */
const changed: readonly Structure[] = [
  {
    name: 'renamed',
    reshaped: true,
    title: 'RENAME COLUMN keeps the values under the new name',
    copied: ['CREATE TABLE renamed (id INT PRIMARY KEY, a INT)', 'INSERT INTO renamed VALUES (1, 10), (2, 20)'],
    followed: ['ALTER TABLE renamed RENAME COLUMN a TO b', 'INSERT INTO renamed VALUES (3, 30)'],
  },
  {
    name: 'dropped',
    title: 'DROP COLUMN leaves nothing behind',
    copied: [
      'CREATE TABLE dropped (id INT PRIMARY KEY, a INT, b INT)',
      'INSERT INTO dropped VALUES (1, 10, 100), (2, 20, 200)',
    ],
    followed: ['ALTER TABLE dropped DROP COLUMN a', 'INSERT INTO dropped VALUES (3, 300)'],
  },
  {
    name: 'widened',
    reshaped: true,
    title: 'MODIFY from INT to BIGINT',
    copied: ['CREATE TABLE widened (id INT PRIMARY KEY, a INT)', 'INSERT INTO widened VALUES (1, 10), (2, NULL)'],
    followed: ['ALTER TABLE widened MODIFY a BIGINT', 'INSERT INTO widened VALUES (3, 9223372036854775807)'],
  },
  {
    name: 'retyped',
    reshaped: true,
    title: 'MODIFY from INT to VARCHAR',
    copied: ['CREATE TABLE retyped (id INT PRIMARY KEY, a INT)', 'INSERT INTO retyped VALUES (1, 10), (2, NULL)'],
    followed: [
      'ALTER TABLE retyped MODIFY a VARCHAR(20)',
      "INSERT INTO retyped VALUES (3, 'text')",
      "UPDATE retyped SET a = 'more' WHERE id = 1",
    ],
    notByKafka: 'the registry refuses a schema that readers of the old one cannot read: REGISTRY_REFUSED',
  },
  {
    name: 'emptied',
    title: 'TRUNCATE empties',
    copied: ['CREATE TABLE emptied (id INT PRIMARY KEY, a INT)', 'INSERT INTO emptied VALUES (1, 10), (2, 20)'],
    followed: ['TRUNCATE emptied', 'INSERT INTO emptied VALUES (3, 30)'],
  },
  {
    name: 'anew',
    title: 'DROP TABLE and CREATE TABLE leave the new rows only',
    copied: ['CREATE TABLE anew (id INT PRIMARY KEY, a INT)', 'INSERT INTO anew VALUES (1, 10), (2, 20)'],
    followed: ['DROP TABLE anew', 'CREATE TABLE anew (id INT PRIMARY KEY, a INT)', 'INSERT INTO anew VALUES (3, 30)'],
  },
];

/** Key types with four values each: two to be there, one to be deleted, one that a row moves to. */
const keys: readonly (readonly [sql: string, values: readonly string[], only?: Flavour])[] = [
  ['INT', ['-2147483648', '2147483647', '0', '1']],
  ['BIGINT UNSIGNED', ['0', '18446744073709551615', '9223372036854775808', '1']],
  ['DECIMAL(40,10)', ['0', '-123456789012345678901234567890.0000000001', '1.5', '2']],
  ['DECIMAL(10,2)', ['0', '-99999999.99', '1.50', '2']],
  ['DOUBLE', ['0.1', '-1e300', '1e21', '2']],
  ['BIT(1)', ["b'0'", "b'1'"]],
  ['BIT(64)', ['18446744073709551615', '0', '9223372036854775808', '7']],
  ['YEAR', ['0', '2155', '1901', '2000']],
  ['CHAR(8) CHARACTER SET latin1', ["'a'", "'€uro'", "'b'", "'B2'"]],
  ['VARCHAR(20) CHARACTER SET utf8mb4', ["'ž 🙂'", "''", "'o''k'", "'\\\\N'"]],
  ['VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', ["'a'", "'A'", "'b'", "'B'"]],
  ['BINARY(4)', ["x'00000000'", "x'61'", "x'ffffffff'", "x'01000000'"]],
  ['VARBINARY(9)', ["x'00'", "x''", "x'6100'", "x'61'"]],
  ['DATE', ["'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'1969-12-31'"]],
  ['DATETIME', ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'2024-02-29 01:02:03'", "'1969-12-31 00:00:01'"]],
  [
    'DATETIME(6)',
    [
      "'1000-01-01 00:00:00.000001'",
      "'9999-12-31 23:59:59.999999'",
      "'2024-02-29 01:02:03'",
      "'1969-12-31 00:00:01.5'",
    ],
  ],
  [
    'TIMESTAMP(3)',
    ["'1970-01-01 00:00:01.001'", "'2038-01-19 03:14:07.999'", "'2024-02-29 01:02:03'", "'2024-03-31 02:30:00'"],
  ],
  ['TIME(6)', ["'-838:59:59'", "'838:59:58.999999'", "'-00:00:00.5'", "'00:00:00'"]],
  ["SET('a','b','c')", ["'a'", "'b,c'", "''", "'a,c'"]],
  ["ENUM('b','a','x,y')", ["'b'", "'a'", "'x,y'", "''"]],
  [
    'UUID',
    [
      "'123e4567-e89b-12d3-a456-426614174000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
      "'00000000-0000-0000-0000-000000000000'",
      "'01890a5d-ac96-774b-bcce-b302099a8057'",
    ],
    'mariadb',
  ],
  ['INET4', ["'0.0.0.0'", "'255.255.255.255'", "'10.0.0.1'", "'10.0.0.2'"], 'mariadb'],
  ['INET6', ["'::'", "'::ffff:10.1.2.3'", "'2001:db8::1'", "'::1'"], 'mariadb'],
];

function keyed(flavour: Flavour): readonly Structure[] {
  return keys
    .filter(([, , only]) => only === undefined || only === flavour)
    .map(([sql, [first = '', second = '', gone, moved]], i) => {
      const name = `key_${i}`;
      const change = `UPDATE ${name} SET v = -2 WHERE k = ${second}`;
      return {
        name,
        title: `\`${sql}\`: ${[first, second, gone, moved]
          .filter((value) => value !== undefined)
          .map((value) => `\`${value}\``)
          .join(', ')}`,
        copied: [
          `CREATE TABLE ${name} (k ${sql} NOT NULL, v INT, PRIMARY KEY (k))`,
          `INSERT INTO ${name} VALUES (${first}, 1)${gone === undefined ? '' : `, (${gone}, 3)`}`,
        ],
        followed: [
          `INSERT INTO ${name} VALUES (${second}, 2)`,
          ...(gone === undefined ? [] : [`DELETE FROM ${name} WHERE k = ${gone}`]),
          change,
          ...(moved === undefined ? [] : [`UPDATE ${name} SET k = ${moved} WHERE k = ${first}`]),
        ],
      };
    });
}

const composite: Structure = {
  name: 'key_many',
  title: '`(DATE, VARCHAR(9), BIGINT UNSIGNED, VARBINARY(4))` in another order than the columns',
  copied: [
    'CREATE TABLE key_many (v INT, a VARCHAR(9), b BIGINT UNSIGNED, c VARBINARY(4), d DATE, PRIMARY KEY (d, a, b, c))',
    `INSERT INTO key_many VALUES (1, ${literal('ž')}, 18446744073709551615, x'00', '2024-02-29'), (2, '', 0, x'', '1000-01-01')`,
  ],
  followed: [
    "INSERT INTO key_many VALUES (3, 'a', 1, x'61', '9999-12-31')",
    "UPDATE key_many SET a = 'moved', v = 10 WHERE v = 1",
    'DELETE FROM key_many WHERE v = 2',
  ],
};

export interface Chapter {
  readonly title: string;
  readonly structures: readonly Structure[];
}

export function chapters(flavour: Flavour): readonly Chapter[] {
  return [
    { title: 'Keys', structures: [...keyed(flavour), composite] },
    { title: 'Tables', structures: grown(flavour) },
    { title: 'Tables that change while they are followed', structures: changed },
  ];
}
