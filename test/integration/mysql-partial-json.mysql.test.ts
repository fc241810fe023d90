import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seeded, type Random } from '../../dev/random.ts';
import { literal } from '../../dev/sql.ts';
import { startServer, type Server } from '../../dev/servers/index.ts';
import { copied, following, runAll } from '../support/following.ts';
import { openClient } from '../support/mysql-run.ts';

const names = ['a', 'b', 'aa', 'key with "quotes" and \\', 'ž', '🙂', '', '$x', '__proto__', '1', 'tab\t'];
const scalars = ['1', '-3.50', 'true', 'null', '"text"', '1e300', '18446744073709551615', '"é\\n\\u0001"', '[]', '{}'];

function document(random: Random, depth = 0): string {
  if (depth > 2 || random.chance(0.4)) return random.pick(scalars as [string, ...string[]]);
  const count = random.int(5);
  if (random.chance(0.5)) return `[${Array.from({ length: count }, () => document(random, depth + 1)).join()}]`;
  const keys = [...new Set(Array.from({ length: count }, () => name(random)))];
  return `{${keys.map((key) => `${JSON.stringify(key)}: ${document(random, depth + 1)}`).join()}}`;
}

const name = (random: Random): string => random.pick(names as [string, ...string[]]);

function path(random: Random): string {
  const legs = Array.from({ length: 1 + random.int(3) }, () =>
    random.chance(0.5) ? `[${random.pick(['0', '1', '2', 'last', '9'])}]` : `.${JSON.stringify(name(random))}`,
  );
  return literal(`$${legs.join('')}`);
}

/** One of the functions whose results servers log as differences, or a chain of them. */
function expression(column: string, random: Random): string {
  const value = `CAST(${literal(document(random, 2))} AS JSON)`;
  const inner = random.chance(0.3) ? expression(column, random) : column;
  const kind = random.pick(['SET', 'REPLACE', 'REMOVE', 'SET', 'REPLACE']);
  if (kind === 'REMOVE') return `JSON_REMOVE(${inner}, ${path(random)})`;
  const pairs = Array.from({ length: 1 + random.int(2) }, () => `, ${path(random)}, ${value}`);
  return `JSON_${kind}(${inner}${pairs.join('')})`;
}

describe('JSON values that are logged as differences', () => {
  const stack = new AsyncDisposableStack();
  let source: Server;
  let client: Connection;

  beforeAll(async () => {
    source = stack.use(await startServer('mysql', { fast: true, args: ['--binlog-row-value-options=PARTIAL_JSON'] }));
    client = await openClient(source.url);
    stack.defer(() => client.destroy());
    await runAll(client, ['CREATE DATABASE shop', 'USE shop']);
  });
  afterAll(() => stack.disposeAsync());

  it.each([1, 2, 3])('become what a copy shows, after random changes, seed %i', async (seed) => {
    const random = seeded(seed);
    await client.query('DROP TABLE IF EXISTS docs');
    await client.query('CREATE TABLE docs (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON)');
    for (let id = 0; id < 60; id += 1) {
      const [a, b] = [document(random), document(random)].map(literal);
      await client.query(`INSERT INTO docs VALUES (${id}, ${a}, 0, ${b}, ${random.chance(0.5) ? 'NULL' : b})`);
    }
    const pipeline = await following(source.url);
    let changes = 0;
    for (let i = 0; i < 300; i += 1) {
      const columns = ['a', 'b', 'c'].filter(() => random.chance(0.6));
      const set = ['n = n + 1', ...columns.map((column) => `${column} = ${expression(column, random)}`)].join(', ');
      const id = random.int(60);
      // A path that removes the whole document is an error of the statement, and nothing is logged.
      await client.query(`UPDATE docs SET ${set} WHERE id BETWEEN ${id} AND ${id + 2}`).then(
        () => (changes += 1),
        () => undefined,
      );
    }
    expect(changes).toBeGreaterThan(200);
    await pipeline.catchUp();
    expect(pipeline.rows('docs')).toEqual(await copied(source.url, 'docs'));
  });

  it('become what a copy shows where a large document changes in many places', async () => {
    await client.query('DROP TABLE IF EXISTS docs');
    await client.query('CREATE TABLE docs (id INT PRIMARY KEY, a JSON)');
    const items = Array.from({ length: 5000 }, (_, i) => `{"n": ${i}, "text": "text ${i}", "at": [${i}, {"x": 1.5}]}`);
    await client.query(`INSERT INTO docs VALUES (1, '[${items.join()}]')`);
    const pipeline = await following(source.url);
    const places = Array.from({ length: 500 }, (_, i) => `, '$[${i * 7}].at[1].x', ${i}.25`);
    await client.query(`UPDATE docs SET a = JSON_SET(a${places.join('')})`);
    await client.query("UPDATE docs SET a = JSON_REMOVE(a, '$[17]', '$[4000].at')");
    await pipeline.catchUp();
    expect(pipeline.rows('docs')).toEqual(await copied(source.url, 'docs'));
  });
});
