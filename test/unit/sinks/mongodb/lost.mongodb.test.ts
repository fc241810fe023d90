import { expect, it, onTestFinished } from 'vitest';
import { batch, column, insert, int, stream, table, text } from '../../../contract/changes.ts';
import { apply, Beside, never } from './server.ts';

const t = table('t', [column('id', int), column('v', text)], ['id']);

async function started(): Promise<Beside> {
  const beside = await Beside.start();
  onTestFinished(() => beside.stop());
  return beside;
}

it('says that the connection is lost when the server dies, and goes on where it was', async () => {
  const beside = await started();
  const rows = Array.from({ length: 60_000 }, (_, id) => insert(t, [id, 'some text']));
  const options = beside.options();
  const target = await beside.open(options, t);
  await apply(target, rows.slice(0, 10), '1');
  const dying = apply(target, rows, '2').catch((error: unknown) => error);
  await expect.poll(() => beside.documents(t).then(({ length }) => length)).toBeGreaterThan(1000);
  await beside.server.kill();
  expect(await dying).toMatchObject({ code: expect.stringMatching(/^TARGET_(CONNECTION_LOST|UNREACHABLE)$/) });
  await target.close();
  await beside.server.start();
  const again = await beside.open(options, t);
  expect(await again.load('', never)).toEqual(new Map([['stream', '1']]));
  await apply(again, rows, '2');
  expect(await beside.client.db('shop').collection(t.name).countDocuments()).toBe(60_000);
});

it('stops waiting as soon as it is told to', async () => {
  const beside = await started();
  const target = await beside.open(beside.options(), t);
  await beside.server.pause();
  const told = new AbortController();
  const waiting = target.apply(stream, batch([insert(t, [1, 'a'])], '1'), told.signal);
  told.abort(new Error('told to'));
  await expect(waiting).rejects.toThrow('told to');
  await beside.server.resume();
});
