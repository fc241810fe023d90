import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { codes, LockstepError, toLockstepError } from '../../../core/errors.ts';

describe('errors', () => {
  test('carry code, verdict, fix and cause', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new LockstepError('TARGET_UNREACHABLE', 'pg1:5432 refused the connection', {
      fix: 'start it',
      cause,
    });
    expect(error).toMatchObject({ code: 'TARGET_UNREACHABLE', verdict: 'retry', fix: 'start it', cause });
  });

  test('of ours stay what they are; what nobody translated is a bug with its stack', () => {
    const ours = new LockstepError('CONFIG_INVALID', 'x');
    expect(toLockstepError(ours)).toBe(ours);
    const strange = new TypeError('x is undefined');
    expect(toLockstepError(strange)).toMatchObject({ code: 'BUG', verdict: 'bug', cause: strange });
    expect(toLockstepError(strange).message).toContain('errors.test.ts');
    expect(toLockstepError('text').message).toBe('text');
  });

  test('retry is what can heal by itself: never a refusal, a grant or a setting', () => {
    const retried = Object.entries(codes).flatMap(([code, verdict]) => (verdict === 'retry' ? [code] : []));
    expect(retried.filter((code) => /AUTH|GRANT|REFUSED|INVALID|UNSUPPORTED|FORMAT|SCHEMA/.test(code))).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  test('lists every code once, with its verdict, a meaning and a fix', async () => {
    const text = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (.+) \| (.+) \|$/gm)];
    const documented = rows.map(([, code, verdict]) => `${code} ${verdict}`);
    expect(documented.toSorted()).toEqual(
      Object.entries(codes)
        .map(([code, verdict]) => `${code} ${verdict}`)
        .toSorted(),
    );
  });
});
