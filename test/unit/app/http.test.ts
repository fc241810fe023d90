import { afterEach, expect, test } from 'vitest';
import { listen, type Listener } from '../../../app/http/server.ts';
import { healthOf } from '../../../app/health.ts';
import { Progress } from '../../../core/progress.ts';

let listener: Listener | null = null;
afterEach(async () => {
  await listener?.close();
  listener = null;
});

async function serving(progress: Progress): Promise<string> {
  const runs = [{ name: 'warehouse', progress }];
  listener = await listen({ pipeline: 'shop', runs, host: '127.0.0.1', port: 0, schemas: null });
  return listener.url;
}

function working(): Progress {
  const progress = new Progress();
  progress.phase = 'following';
  progress.lastHeardAtMs = Date.now();
  progress.applied({
    tables: new Map([['shop.o"1', { read: 3, filtered: 1, copied: 2 }]]),
    newestAtMs: Date.now() - 5,
  });
  return progress;
}

test('/health is 200 with evidence and 503 with the reason without', async () => {
  const progress = working();
  const url = await serving(progress);
  const good = await fetch(`${url}/health`);
  expect([good.status, await good.json()]).toEqual([
    200,
    { healthy: true, targets: { warehouse: { healthy: true, reason: null } } },
  ]);
  progress.failure = { code: 'TARGET_UNREACHABLE', message: 'm', fix: 'f', nextTryAtMs: 1 };
  const bad = await fetch(`${url}/health`);
  expect([bad.status, await bad.json()]).toEqual([
    503,
    { healthy: false, targets: { warehouse: { healthy: false, reason: 'TARGET_UNREACHABLE' } } },
  ]);
});

test('a target that has not answered for longer than 30 s is not healthy', () => {
  const progress = working();
  const now = Date.now();
  progress.applyingSinceMs.set('stream', now - 29_000);
  expect(healthOf(progress, now)).toEqual({ healthy: true, reason: null });
  progress.applyingSinceMs.set('copy/0', now - 31_000);
  expect(healthOf(progress, now)).toEqual({ healthy: false, reason: 'the target has not answered for 31 s' });
});

test('a source that was silent for longer than 30 s is not healthy, nor is one never heard of', () => {
  const progress = working();
  const now = Date.now();
  progress.lastHeardAtMs = now - 29_000;
  expect(healthOf(progress, now)).toEqual({ healthy: true, reason: null });
  progress.lastHeardAtMs = now - 31_000;
  expect(healthOf(progress, now)).toEqual({ healthy: false, reason: 'nothing heard of the source for 31 s' });
  progress.lastHeardAtMs = null;
  expect(healthOf(progress, now).healthy).toBe(false);
  expect(healthOf(new Progress(), now)).toEqual({ healthy: false, reason: 'starting' });
});

test('/status is everything the screens know', async () => {
  const url = await serving(working());
  expect(await (await fetch(`${url}/status`)).json()).toMatchObject({
    pipeline: 'shop',
    targets: {
      warehouse: {
        phase: 'following',
        healthy: true,
        failure: null,
        total: { read: 3, applied: 2, filtered: 1, copied: 2, deadLetters: 0 },
        tables: { 'shop.o"1': { read: 3, applied: 2, filtered: 1, copied: 2 } },
      },
    },
  });
});

test('/metrics is Prometheus text', async () => {
  const url = await serving(working());
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  const text = await response.text();
  expect(text).toContain('lockstep_healthy{pipeline="shop",target="warehouse"} 1\n');
  expect(text).toContain('lockstep_rows_applied_total{pipeline="shop",target="warehouse",table="shop.o\\"1"} 2\n');
  for (const line of text.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [0-9.e+-]+)$/);
});

test('an address that is taken is said so', async () => {
  const port = Number(new URL(await serving(new Progress())).port);
  await expect(listen({ pipeline: 'shop', runs: [], host: '127.0.0.1', port, schemas: null })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
  });
});
