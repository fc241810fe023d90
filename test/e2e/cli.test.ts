import { describe, expect, test } from 'vitest';
import { configFile, lockstep } from './cli.ts';

const GOOD = `name: shop
source: { url: 'mysql://repl:topsecret@127.0.0.1:1', tables: [shop.*] }
targets:
  warehouse: { url: 'postgres://app:othersecret@127.0.0.1:1/shop' }
`;

describe('the command line', () => {
  test('prints its version', async () => {
    expect(await lockstep(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  test.each([['--help'], ['help'], ['run', '--help'], ['help', 'doctor'], ['plan', '-h'], ['status', '--help']])(
    'prints help on standard output and exits with 0: %s %s',
    async (...args) => {
      const { code, stdout, stderr } = await lockstep(args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^Usage: lockstep/);
    },
  );

  test.each([
    [[], 'Usage: lockstep'],
    [['rnu'], "unknown command 'rnu'\n(Did you mean run?)"],
    [['run'], "missing required argument 'file'"],
    [['run', 'a', '--untl', 'x'], "unknown option '--untl'\n(Did you mean --until?)"],
    [['run', 'a', '--until', 'now'], "argument 'now' is invalid. The only moment there is: caught-up."],
  ])('exits with 2 at wrong usage: %j', async (args, message) => {
    const { code, stdout, stderr } = await lockstep(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  test('prints the JSON Schema of the configuration', async () => {
    const { code, stdout } = await lockstep(['config-schema']);
    const schema: unknown = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(schema).toMatchObject({
      additionalProperties: false,
      required: ['name', 'source', 'targets'],
      properties: { source: { properties: { url: { type: 'string' } } } },
    });
  });
});

describe('a wrong configuration', () => {
  test.each(['run', 'doctor', 'plan', 'status'])('exits with 2 and names every mistake: %s', async (command) => {
    const file = configFile(GOOD.replace('name: shop', 'nam: shop').replace('tables', 'tabels'));
    expect(await lockstep([command, file])).toEqual({
      code: 2,
      stdout: '',
      stderr: [
        `error CONFIG_INVALID   ${file} has 4 mistakes:`,
        `        ${file}:1:1  \`name\` is missing`,
        `        ${file}:1:1  \`nam\` is not a setting; did you mean \`name\`?`,
        `        ${file}:2:1  \`source.tables\` is missing`,
        `        ${file}:2:54  \`source.tabels\` is not a setting; did you mean \`tables\`?`,
        'fix   see docs/config.md',
        '',
      ].join('\n'),
    });
  });

  test('is one JSON object with --json', async () => {
    const { code, stdout } = await lockstep(['run', '/nowhere/shop.yaml', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([
      2,
      {
        error: {
          code: 'CONFIG_UNREADABLE',
          message: '/nowhere/shop.yaml cannot be read: there is no such file',
          fix: 'name the configuration file, for example: lockstep run shop.yaml',
        },
      },
    ]);
  });

  test('names the variable of a missing secret', async () => {
    const file = configFile(GOOD.replace('topsecret', '${SHOP_PASSWORD_OF_NOBODY}'));
    const { code, stderr } = await lockstep(['run', file]);
    expect(code).toBe(2);
    expect(stderr).toContain(
      `CONFIG_SECRET_MISSING   ${file}:2:16  the environment variable SHOP_PASSWORD_OF_NOBODY is not set`,
    );
  });

  test('that --only names no target of says which there are', async () => {
    const { code, stderr } = await lockstep(['run', configFile(GOOD), '--only', 'warehous']);
    expect(code).toBe(2);
    expect(stderr).toContain('did you mean warehouse? There are: warehouse');
  });
});
