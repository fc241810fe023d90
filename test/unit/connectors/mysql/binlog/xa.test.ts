import { describe, expect, it } from 'vitest';
import { SettledXa } from '../../../../../connectors/mysql/binlog/settled-xa.ts';
import { readRecoveredXid, readXa } from '../../../../../connectors/mysql/binlog/xa.ts';

describe('the name of an XA transaction', () => {
  it.each([
    ["'x'", 1, "X'78',X'',1"],
    ["X'69742773',X'62',7", 7, "X'69742773',X'62',7"],
    ["X'c599',X'',3", 3, "X'c599',X'',3"],
  ])('%s, as the server lists it, is the one of the log', (printed, format, xid) => {
    expect(readRecoveredXid(printed, format)).toBe(xid);
    expect(readXa(`XA COMMIT ${xid}`)).toEqual({ kind: 'commit', xid });
  });
});

describe('the XA transactions that have ended', () => {
  it('are known by name until another one of that name is prepared', () => {
    const settled = new SettledXa();
    settled.add({ step: 'prepared', xid: 'a' });
    expect(settled.hasAnyOf(new Set(['a']))).toBe(false);
    settled.add({ step: 'settled', xid: 'a' });
    settled.add({ step: 'settled', xid: 'b' });
    expect(settled.hasAnyOf(new Set(['a', 'c']))).toBe(true);
    settled.add({ step: 'prepared', xid: 'a' });
    expect([settled.hasAnyOf(new Set(['a'])), settled.hasAnyOf(new Set(['b']))]).toEqual([false, true]);
  });

  it('are forgotten when ten thousand others have ended since', () => {
    const settled = new SettledXa();
    for (let i = 0; i <= 10_000; i += 1) settled.add({ step: 'settled', xid: String(i) });
    expect([settled.hasAnyOf(new Set(['0'])), settled.hasAnyOf(new Set(['1']))]).toEqual([false, true]);
  });
});
