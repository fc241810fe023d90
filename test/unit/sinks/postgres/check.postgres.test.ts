import { afterAll, beforeAll, expect, it } from 'vitest';
import { postgres } from '../../../../sinks/postgres/index.ts';
import { column, insert, int, table } from '../../../contract/changes.ts';
import { Beside, apply, failure, never } from './server.ts';

let db: Beside;
beforeAll(async () => {
  db = await Beside.start();
});
afterAll(() => db[Symbol.asyncDispose]());

function as(change: (url: URL) => void): string {
  const url = new URL(db.server.url);
  change(url);
  return url.href;
}

it('passes every check for an owner', async () => {
  const checks = await postgres.check(db.options(), never);
  expect(checks.filter(({ outcome }) => outcome !== 'pass')).toEqual([]);
  expect(checks.length).toBeGreaterThan(5);
});

it('says with which statements a role gets what it lacks, and passes once it has it', async () => {
  await db.query(`CREATE ROLE bare LOGIN PASSWORD 'bare'; REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC`);
  const url = as((url) => {
    url.username = 'bare';
    url.password = 'bare';
  });
  const checks = await postgres.check(db.options({ url }), never);
  const bad = checks.filter(({ outcome }) => outcome !== 'pass');
  expect(bad.map(({ name, outcome }) => [name, outcome])).toEqual([
    ['create', 'fail'],
    ['temporary', 'fail'],
    ['session_replication_role', 'warn'],
  ]);
  const target = await postgres.open(db.options({ url }));
  const error = await failure(target.prepare([], never));
  expect([error.code, error.message.includes('bare')]).toEqual(['TARGET_GRANT', false]);
  await target.close();
  for (const { fix } of bad) await db.query(fix ?? '');
  const again = await postgres.check(db.options({ url }), never);
  expect(again.filter(({ outcome }) => outcome !== 'pass')).toEqual([]);
});

it('warns of triggers that would fire', async () => {
  await db.query(`CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT CREATE, TEMPORARY ON DATABASE postgres TO plain; CREATE TABLE public.loud (id int);
    CREATE FUNCTION public.shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; GRANT INSERT ON public.loud TO plain;
    CREATE TRIGGER t BEFORE INSERT ON public.loud FOR EACH ROW EXECUTE FUNCTION public.shout()`);
  const url = as((url) => {
    url.username = 'plain';
    url.password = 'plain';
  });
  const checks = await postgres.check(db.options({ url }), never);
  expect(checks.find(({ name }) => name === 'triggers')).toMatchObject({
    outcome: 'warn',
    detail: expect.stringContaining('loud'),
  });
});

it('works for a role that owns nothing but its schemas', async () => {
  await db.query(`CREATE ROLE modest LOGIN PASSWORD 'modest'; GRANT CREATE, TEMPORARY ON DATABASE postgres TO modest`);
  const url = as((url) => {
    url.username = 'modest';
    url.password = 'modest';
  });
  const t = { ...table('things', [column('id', int)], ['id']), database: 'modest' };
  const target = await postgres.open(db.options({ url, metadata: 'modest_marks' }));
  await target.prepare([t], never);
  await target.load('', never);
  await apply(target, ...Array.from({ length: 400 }, (_, i) => insert(t, [i])));
  expect(await db.query('SELECT count(*) FROM modest.things')).toEqual([['400']]);
  await target.close();
});

it('knows no checkpoints where nothing was prepared', async () => {
  const target = await postgres.open(db.options({ metadata: 'nowhere' }));
  expect(await target.load('', never)).toEqual(new Map());
  await target.close();
});

const wrong: [string, string, (url: URL) => void][] = [
  ['a wrong password', 'TARGET_AUTH', (url) => (url.password = 'secret-password')],
  ['an unknown user', 'TARGET_AUTH', (url) => (url.username = 'nobody')],
  ['a database that does not exist', 'TARGET_SCHEMA', (url) => (url.pathname = '/missing')],
  ['a port where nothing listens', 'TARGET_UNREACHABLE', (url) => (url.port = '1')],
  ['an unknown host', 'TARGET_HOST_UNKNOWN', (url) => (url.hostname = 'nowhere.invalid')],
];

it.each(wrong)('tells %s', async (_, code, change) => {
  const options = db.options({ url: as(change) });
  const target = await postgres.open(options);
  const error = await failure(target.load('', never));
  expect(error.code).toBe(code);
  expect(`${error.message} ${error.fix}`).not.toContain('secret-password');
  await target.close();
  const [check] = await postgres.check(options, never);
  expect(check).toMatchObject({ name: 'connection', outcome: 'fail', detail: expect.stringContaining(code) });
  expect(check?.fix).not.toBeNull();
});
