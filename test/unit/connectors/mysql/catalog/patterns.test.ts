import { describe, expect, it } from 'vitest';
import { compilePatterns } from '../../../../../connectors/mysql/catalog/patterns.ts';

describe('table patterns', () => {
  it.each([
    [['shop.*'], 'shop.orders', true],
    [['shop.*'], 'shop2.orders', false],
    [['shop.orders'], 'shop.orders_old', false],
    [['shop.*', '!shop.audit_*'], 'shop.audit_log', false],
    [['shop.*', '!shop.audit_*', 'shop.audit_kept'], 'shop.audit_kept', true],
    [['!shop.audit_*', 'shop.*'], 'shop.audit_log', true],
    [['*.orders'], 'any.orders', true],
    [['*.*'], 'shop.orders', true],
    [['*.*'], 'mysql.user', false],
    [['*.*'], 'lockstep.marker', false],
    [['*.*'], 'SYS.x', false],
    [['mysql.*'], 'mysql.user', true],
    [['my*.*'], 'mysql.user', false],
    [['s*p.o*s'], 'shop.orders', true],
    [['a+b.c(d)'], 'a+b.c(d)', true],
    [['a+b.c*'], 'aab.cd', false],
    [['shop.a\nb*'], 'shop.a\nbc', true],
    [[], 'shop.orders', false],
  ])('%j takes %s: %s', (patterns, origin, taken) => {
    const [database = '', table = ''] = origin.split('.');
    expect(compilePatterns(patterns)(database, table)).toBe(taken);
  });

  it.each(['orders', 'a.b.c', '.b', 'a.', '', '!'])('"%s" is refused', (pattern) => {
    expect(() => compilePatterns([pattern])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', fix: expect.stringContaining('shop.orders') }),
    );
  });
});
