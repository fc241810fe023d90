import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { schemaPolicies } from '../../../core/schema-policy.ts';
import { configJsonSchema, loadConfig, parseConfig } from '../../../app/config/load.ts';
import { LockstepError } from '../../../core/errors.ts';

const SMALLEST = `name: shop
source: { url: 'mysql://repl@db1:3306', tables: [shop.*] }
targets:
  warehouse: { url: 'postgres://app@pg1/shop' }
`;

async function mistakesIn(text: string, env: Record<string, string> = {}): Promise<{ code: string; lines: string[] }> {
  const error: unknown = await parseConfig('shop.yaml', text, env).then(
    () => null,
    (error: unknown) => error,
  );
  if (!(error instanceof LockstepError)) throw new Error(`no LockstepError but ${String(error)}`);
  const lines = error.message.split('\n').map((line) => line.trim());
  return { code: error.code, lines: lines.length > 1 ? lines.slice(1) : lines };
}

describe('a configuration', () => {
  test('gets every default filled in', async () => {
    const { source, via, targets, http } = await parseConfig('shop.yaml', SMALLEST, {});
    expect({ source, via, targets, http }).toEqual({
      source: {
        url: 'mysql://repl@db1:3306',
        tables: ['shop.*'],
        copy: {
          readers: 2,
          marker: null,
          rowsPerSecond: null,
          bytesPerSecond: null,
          backOff: { threadsRunning: 50, replicaLag: 30, replicas: [], latency: 8 },
        },
        schemaChanges: Object.fromEntries(Object.keys(schemaPolicies).map((kind) => [kind, 'evolve'])),
      },
      via: null,
      targets: {
        warehouse: {
          url: 'postgres://app@pg1/shop',
          transforms: [],
          metadata: 'lockstep',
          lanes: 1,
          indexes: true,
          deadLetters: { limit: 1000 },
          values: { zeroDates: 'set-null', nulCharacters: 'dead-letter', tables: [] },
        },
      },
      http: null,
    });
  });

  test('via Kafka gets every default filled in', async () => {
    const { via } = await parseConfig('shop.yaml', `${SMALLEST}via: { kafka: ['k1:9092'] }\n`, {});
    expect(via).toEqual({
      kafka: ['k1:9092'],
      tls: false,
      sasl: null,
      schemaRegistry: null,
      compatibility: null,
      compression: 'none',
      partitions: 4,
      replication: null,
      deadLetters: { limit: 1000 },
    });
  });

  test('with several hosts for MongoDB is accepted', async () => {
    const text = SMALLEST.replace('postgres://app@pg1/shop', 'mongodb://a:1,b:2,c:3/shop?replicaSet=rs0');
    expect((await parseConfig('shop.yaml', text, {})).targets['warehouse']?.url).toContain('a:1,b:2');
  });
});

describe('a mistake', () => {
  test('in a key names line, column and the nearest setting at every level', async () => {
    const text = `name: shop
sorce: {}
source:
  url: mysql://db1
  tabels: []
  tables: [shop.*]
  copy:
    reader: 3
targets:
  warehouse:
    url: postgres://pg1/shop
    metdata: ours
    transforms:
      - renam: { tables: {} }
      - rename: { tabels: {} }
http: { lisen: x }
via: { kafka: ['k:1'], schemaregistry: 'http://r' }
`;
    const { code, lines } = await mistakesIn(text);
    expect(code).toBe('CONFIG_INVALID');
    expect(lines).toEqual(
      expect.arrayContaining([
        'shop.yaml:2:1  `sorce` is not a setting; did you mean `source`?',
        'shop.yaml:5:3  `source.tabels` is not a setting; did you mean `tables`?',
        'shop.yaml:8:5  `source.copy.reader` is not a setting; did you mean `readers`?',
        'shop.yaml:12:5  `targets.warehouse.metdata` is not a setting; did you mean `metadata`?',
        'shop.yaml:14:9  `targets.warehouse.transforms[0].renam` is not a setting; did you mean `rename`?',
        'shop.yaml:15:19  `targets.warehouse.transforms[1].rename.tabels` is not a setting; did you mean `tables`?',
        'shop.yaml:16:9  `http.lisen` is not a setting; did you mean `listen`?',
        'shop.yaml:17:24  `via.schemaregistry` is not a setting; did you mean `schemaRegistry`?',
      ]),
    );
  });

  test.each([
    ['name: Shop', '1:7  `name` must be 1 to 40 of a-z, 0-9 and `_`, beginning with a letter'],
    ['name: 7', '1:7  `name` must be text'],
    ['', '1:1  `name` is missing'],
  ])('in the name is said: %j', async (line, expected) => {
    const { lines } = await mistakesIn(SMALLEST.replace('name: shop', line).trimStart());
    expect(lines).toEqual([`shop.yaml:${expected}`]);
  });

  test.each([
    ['postgres://x', 'begins with postgres://; it must begin with mysql://, mariadb://'],
    ['db1:3306', 'is no URL; it must begin with mysql://, mariadb://'],
    ['mysql://', 'names no host'],
    [
      'mysql://u:p/w@db1',
      'has `/`, `?` or `#` in its user or password; write them as %2F, %3F, %23, or take the password from ${VARIABLE}',
    ],
    ['mysql://db1:x', 'is no valid URL; check its port and escapes'],
  ])('in the URL of a source is said: %s', async (url, expected) => {
    const { lines } = await mistakesIn(SMALLEST.replace('mysql://repl@db1:3306', url));
    expect(lines).toEqual([`shop.yaml:2:16  \`source.url\` ${expected}`]);
  });

  test.each([
    ['targets: {}', '3:1  `targets` needs at least one target'],
    [
      'targets: { source: { url: "postgres://h/d" } }',
      '3:12  `targets.source` is a name that has a meaning of its own; choose another',
    ],
    [
      'targets: { a: { url: "redis://h" } }',
      '3:22  `targets.a.url` begins with redis://; it must begin with postgres://, postgresql://, mongodb://, mongodb+srv://',
    ],
    [
      'targets: { a: { url: "mongodb://h/d", lanes: 2 } }',
      '3:46  `targets.a.lanes` more than one is for PostgreSQL; leave it out',
    ],
    ['targets: { a: }', '3:15  `targets.a` must be a group of settings'],
  ])('in the targets is said: %s', async (line, expected) => {
    const { lines } = await mistakesIn(`${SMALLEST.split('\n').slice(0, 2).join('\n')}\n${line}\n`);
    expect(lines).toEqual([`shop.yaml:${expected}`]);
  });

  test.each([
    ['a: [b\nc: d', 'this line is indented differently from its neighbours'],
    ['name: shop\nname: shop', 'this key is here twice'],
    ['tables: [!shop.x]', 'a value that begins with ! must be in quotes'],
    ['tables: [*.x]', 'a value that begins with * must be in quotes'],
    ['source: { url: mysql://r:${PW}@h }', 'inside { } and [ ] a value with ${…} must be in quotes'],
    ['a:\n\tb: 1', 'a tab stands where YAML allows only spaces'],
    ['', 'the file is empty'],
  ])('in the YAML of %j is said with its place', async (text, expected) => {
    const { lines } = await mistakesIn(text);
    expect(lines.join('\n')).toMatch(/^shop\.yaml:\d+:\d+ {2}/);
    expect(lines.join('\n')).toContain(expected);
  });

  test('never repeats a value of the file', async () => {
    const { lines } = await mistakesIn(`name: shop
source: { url: "ftp://root:topsecret@h", tables: [topsecret], copy: { readers: topsecret } }
targets: { w: { url: "postgres://a:topsecret/@h/d", metadata: "top secret" } }
via: { kafka: [topsecret], schemaRegistry: topsecret }
http: { listen: topsecret }
`);
    expect(lines).toHaveLength(8);
    expect(lines.join('\n')).not.toMatch(/topsecret|top secret/);
  });

  test('that broken YAML holds a password does not show the password', async () => {
    const { lines } = await mistakesIn('source: { url: mysql://root:topsecret@h: [\n  "unclosed');
    expect(lines.join('\n')).not.toContain('topsecret');
  });
});

describe('a secret', () => {
  const text = SMALLEST.replace('repl@db1', 'repl:${PASSWORD}@db1');

  test('that is missing is named with its line', async () => {
    expect(await mistakesIn(text)).toEqual({
      code: 'CONFIG_SECRET_MISSING',
      lines: ['shop.yaml:2:16  the environment variable PASSWORD is not set'],
    });
  });

  test('may hold any character where the password of a URL stands', async () => {
    const { source } = await parseConfig('shop.yaml', text, { PASSWORD: 'a@b/c:d?e#f%g' });
    expect(new URL(source.url).hostname).toBe('db1');
    expect(decodeURIComponent(new URL(source.url).password)).toBe('a@b/c:d?e#f%g');
  });

  test('that is a whole URL is taken as it is', async () => {
    const { source } = await parseConfig('shop.yaml', SMALLEST.replace('mysql://repl@db1:3306', '${URL}'), {
      URL: 'mysql://u:p%40@h',
    });
    expect(source.url).toBe('mysql://u:p%40@h');
  });

  test('comes from a file without its last line break', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'lockstep-')), 'secret');
    writeFileSync(path, 'from file\n');
    const { source } = await parseConfig('shop.yaml', text.replace('PASSWORD', `file:${path}`), {});
    expect(source.url).toBe('mysql://repl:from%20file@db1:3306');
  });

  test('of a file that is not there is named', async () => {
    const { code, lines } = await mistakesIn(text.replace('PASSWORD', 'file:/nowhere/x'));
    expect([code, ...lines]).toEqual([
      'CONFIG_SECRET_MISSING',
      'shop.yaml:2:16  the secret file /nowhere/x cannot be read (ENOENT)',
    ]);
  });

  test('is known to the configuration, so that it can be hidden', async () => {
    const { secrets } = await parseConfig('shop.yaml', text, { PASSWORD: 'p@ss' });
    expect(secrets).toEqual(['p@ss', 'p%40ss']);
  });
});

test('a file that is not there is said so', async () => {
  await expect(loadConfig('/nowhere/shop.yaml')).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: '/nowhere/shop.yaml cannot be read: there is no such file',
  });
});

describe('the reference', () => {
  test('names every setting', async () => {
    const reference = readFileSync(new URL('../../../docs/config.md', import.meta.url), 'utf8');
    for (const key of keysIn(await configJsonSchema())) expect(reference).toContain(`\`${key}\``);
  });
});

/** Settings whose keys are named together with them. */
const NAMED_WITH = new Set(['copy', 'deadLetters']);

/** Every key that a JSON Schema knows outside of transforms. */
function keysIn(schema: object, prefix = ''): string[] {
  if ('properties' in schema && typeof schema.properties === 'object' && schema.properties !== null) {
    return Object.entries(schema.properties).flatMap(([key, value]) =>
      NAMED_WITH.has(key)
        ? keysIn(Object(value), `${key}.`)
        : [...(prefix === '' && hasKeys(value) ? [] : [prefix + key]), ...deeper(key, value)],
    );
  }
  return 'additionalProperties' in schema ? keysIn(Object(schema.additionalProperties)) : [];
}

function hasKeys(value: unknown): boolean {
  return keysIn(Object(value)).length > 0;
}

function deeper(key: string, value: unknown): string[] {
  return key === 'transforms' ? [] : keysIn(Object(value));
}
