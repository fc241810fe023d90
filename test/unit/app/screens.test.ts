import { expect, test } from 'vitest';
import { aligned, bar, count, duration, failureLines, rough } from '../../../app/cli/format.ts';
import { frame, titleOf } from '../../../app/cli/frame.ts';
import { newsOf } from '../../../app/cli/news.ts';
import { Rates } from '../../../app/cli/rates.ts';
import { runOf } from './ends.ts';

const NOW = 1_700_000_000_000;
const idle = async function* () {};

function picture(columns: number, rows = 24) {
  const run = runOf('warehouse', [], idle);
  const { progress } = run;
  progress.phase = 'copying';
  progress.lastHeardAtMs = NOW;
  progress.lagMs = 4;
  Object.assign(progress.table('shop.customers'), {
    state: 'following',
    copied: 200_000,
    read: 201_204,
    applied: 201_204,
  });
  Object.assign(progress.table('shop.orders'), {
    state: 'copying',
    copied: 1_000_000,
    read: 1_000_000,
    applied: 1_000_000,
    estimatedRows: 2_000_000,
  });
  progress.table('shop.events');
  const rates = new Rates();
  const draw = (nowMs: number): string[] =>
    frame({ title: titleOf('shop', [run]), runs: [run], rates, columns, rows, nowMs });
  draw(NOW - 1000);
  progress.table('shop.orders').copied += 212_000;
  progress.table('shop.orders').read += 212_000;
  progress.table('shop.orders').applied += 212_000;
  return { run, lines: draw(NOW) };
}

test('the live view shows what is copied, how fast and for how long', () => {
  expect(picture(120).lines).toEqual([
    'shop   memory source → warehouse (memory)',
    'copy   customers  100 %      200,000 rows',
    'copy   orders      60 %    1,212,000 of ~2.0 M   ████████████░░░░░░░░   212k rows/s   3.7 s left',
    'copy   events     waiting',
    'follow healthy   lag 4 ms   0 changes/s   applied 1,413,204  filtered 0  dead letters 0',
  ]);
});

test.each([40, 60, 80, 100])('no line of the live view is wider than %i columns', (columns) => {
  for (const line of picture(columns).lines) expect(line.length).toBeLessThan(columns);
});

test('indexes that are being made, made, or cannot be made are shown', () => {
  const { run } = picture(120);
  const news = newsOf(run);
  news();
  const indexes = { made: 1, wanted: 3, lost: [{ name: 'words', reason: 'it is a FULLTEXT index' }], waits: null };
  run.progress.table('shop.customers').indexes = indexes;
  const lines = frame({ title: 't', runs: [run], rates: new Rates(), columns: 120, rows: 24, nowMs: NOW });
  expect(lines).toContain('index  customers  1 of 3 indexes');
  expect(news()).toEqual([]);
  indexes.made = 3;
  expect(news()).toEqual([
    'indexed shop.customers   3 indexes',
    'warn  index words of shop.customers: it is a FULLTEXT index',
  ]);
  expect(news()).toEqual([]);
});

test('tables that do not fit become one line', () => {
  const { run } = picture(80);
  for (let i = 0; i < 100; i += 1) run.progress.table(`shop.t${i}`);
  const lines = frame({ title: 't', runs: [run], rates: new Rates(), columns: 80, rows: 10, nowMs: NOW });
  expect(lines.length).toBeLessThanOrEqual(9);
  expect(lines).toContain('copy   98 more tables: 0 done, 98 not yet   0 rows');
});

test('an error with its next try stands where the stream stood', () => {
  const { run } = picture(80);
  run.progress.phase = 'retrying';
  run.progress.failure = { code: 'TARGET_UNREACHABLE', message: 'm', fix: '', nextTryAtMs: NOW + 400 };
  const lines = frame({ title: 't', runs: [run], rates: new Rates(), columns: 80, rows: 24, nowMs: NOW });
  expect(lines.at(-1)).toBe('retry  TARGET_UNREACHABLE   next try in 400 ms');
});

test('without a terminal a change of state is told once', () => {
  const { run } = picture(80);
  const news = newsOf(run);
  expect(news()).toEqual(['copied shop.customers   200,000 rows', 'copying 3 tables, about 2.0 M rows']);
  expect(news()).toEqual([]);
  run.progress.table('shop.orders').state = 'following';
  run.progress.phase = 'following';
  expect(news()).toEqual(['copied shop.orders   1,212,000 rows', 'following   lag 4 ms']);
});

test('numbers are short and plain', () => {
  expect([count(1_420_113), rough(1_960_000), rough(212_300), rough(84)]).toEqual(['1,420,113', '2.0 M', '212k', '84']);
  expect([4, 1234, 65_000, 200_000, 7_500_000].map(duration)).toEqual([
    '4 ms',
    '1.2 s',
    '65 s',
    '3 min 20 s',
    '2 h 5 min',
  ]);
  expect(bar(0.5, 10)).toBe('█████░░░░░');
  expect(
    aligned([
      ['pass', 'a', 'x'],
      ['fail', 'long', 'y'],
    ]),
  ).toEqual(['pass  a     x', 'fail  long  y']);
});

test('an error is told with code, message and what to do', () => {
  const failure = { code: 'SOURCE_ROW_IMAGE', message: 'first\nsecond', fix: 'do this', nextTryAtMs: NOW + 1500 };
  expect(failureLines(failure, NOW)).toEqual([
    'error SOURCE_ROW_IMAGE   first   next try in 1.5 s',
    '      second',
    'fix   do this',
  ]);
});
