import { expect, it } from 'vitest';
import type { Checkpoint } from '../../core/contracts.ts';
import { batch, insert, part, stream } from './changes.ts';
import type { TargetHarness } from './harness.ts';
import { never, openScene, simple } from './scene.ts';

function moving(set: Record<string, string>, drop: readonly string[] = []): Checkpoint {
  return { set: new Map(Object.entries(set)), drop };
}

const moved = expect.objectContaining({ code: 'CHECKPOINT_MOVED' });

/** Registers the tests of what a target keeps for a source. */
export function registerCheckpointTests(harness: TargetHarness): void {
  registerEntryTests(harness);
  registerWriterTests(harness);
}

function registerEntryTests(harness: TargetHarness): void {
  it('knows no checkpoint of a new pipeline', async () => {
    const scene = openScene(harness);
    expect(await (await scene.open()).load('', never)).toEqual(new Map());
  });

  it('gives back what was set, by prefix', async () => {
    const scene = openScene(harness);
    const target = await scene.open();
    const set = { 'a/1': 'one', 'a/2': "it's \\ \n 日本", a_1: 'under', b: '', 'a%': 'percent' };
    await target.apply(stream, { ...part([]), checkpoint: moving(set) }, never);
    const again = await scene.open();
    expect(await again.load('', never)).toEqual(new Map(Object.entries(set)));
    expect(await again.load('a/', never)).toEqual(new Map(Object.entries({ 'a/1': 'one', 'a/2': set['a/2'] })));
    expect(await again.load('a_', never)).toEqual(new Map([['a_1', 'under']]));
    expect(await again.load('a%', never)).toEqual(new Map([['a%', 'percent']]));
    expect(await again.load('.', never)).toEqual(new Map());
  });

  it('moves an entry again and again', async () => {
    const scene = openScene(harness);
    const target = await scene.open();
    for (const token of ['1', '2', '3']) await target.apply(stream, batch([], token), never);
    const again = await scene.open();
    for (const token of ['4', '5']) await again.apply(stream, batch([], token), never);
    expect(await again.load('', never)).toEqual(new Map([['stream', '5']]));
  });

  it('drops by prefix before it sets', async () => {
    const scene = openScene(harness);
    const target = await scene.open();
    await target.apply(
      stream,
      { ...part([]), checkpoint: moving({ 'x/1': '1', 'x/2': '2', x_3: '3', y: '4' }) },
      never,
    );
    await target.apply(
      stream,
      { ...part([]), checkpoint: moving({ 'x/2': 'new', 'x/9': '9' }, ['x/', 'nothing']) },
      never,
    );
    const left = new Map(Object.entries({ 'x/2': 'new', 'x/9': '9', x_3: '3', y: '4' }));
    expect(await target.load('', never)).toEqual(left);
    await target.apply(stream, { ...part([]), checkpoint: moving({ 'x/1': 'back' }, ['x_']) }, never);
    expect(await target.load('x', never)).toEqual(new Map(Object.entries({ 'x/1': 'back', 'x/2': 'new', 'x/9': '9' })));
  });

  it('keeps pipelines apart', async () => {
    const one = openScene(harness);
    const two = openScene(harness);
    await (await one.open()).apply(stream, batch([], '1'), never);
    const other = await two.open();
    expect(await other.load('', never)).toEqual(new Map());
    await other.apply(stream, { ...part([]), checkpoint: moving({}, ['']) }, never);
    expect(await (await one.open()).load('', never)).toEqual(new Map([['stream', '1']]));
  });
}

function registerWriterTests(harness: TargetHarness): void {
  it('refuses the second process that writes a new entry', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const [first, second] = [await scene.open(t), await scene.open(t)];
    await first.apply(stream, batch([insert(t, [1, 'a'])], '1'), never);
    await expect(second.apply(stream, batch([insert(t, [2, 'b'])], '2'), never)).rejects.toEqual(moved);
    expect(await first.load('', never)).toEqual(new Map([['stream', '1']]));
  });

  it('lets one of two processes win that write at the same time', async () => {
    const scene = openScene(harness);
    const processes = [await scene.open(), await scene.open(), await scene.open()];
    for (const from of ['1', '2', '3']) {
      for (const target of processes) await target.load('', never);
      const outcomes = await Promise.allSettled(
        processes.map((target, n) => target.apply(stream, batch([], from + String(n)), never)),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });

  it('refuses a process that comes back after another went on', async () => {
    const scene = openScene(harness);
    const t = simple(scene);
    const zombie = await scene.open(t);
    await zombie.apply(stream, batch([insert(t, [1, 'a'])], '1'), never);
    const successor = await scene.open(t);
    await successor.apply(stream, batch([insert(t, [2, 'b'])], '2'), never);
    await expect(zombie.apply(stream, batch([insert(t, [3, 'c'])], '3'), never)).rejects.toEqual(moved);
    await successor.apply(stream, batch([insert(t, [4, 'd'])], '4'), never);
    expect(await successor.load('', never)).toEqual(new Map([['stream', '4']]));
  });

  it('refuses a process whose entry another has dropped', async () => {
    const scene = openScene(harness);
    const zombie = await scene.open();
    await zombie.apply(stream, batch([], '1'), never);
    const successor = await scene.open();
    await successor.apply(stream, { ...part([]), checkpoint: moving({}, ['str']) }, never);
    await expect(zombie.apply(stream, batch([], '2'), never)).rejects.toEqual(moved);
    expect(await successor.load('', never)).toEqual(new Map());
  });

  it('refuses a batch when one of its entries was moved', async () => {
    const scene = openScene(harness);
    const [first, second] = [await scene.open(), await scene.open()];
    await first.apply(stream, { ...part([]), checkpoint: moving({ b: '1' }) }, never);
    await expect(
      second.apply(stream, { ...part([]), checkpoint: moving({ a: '2', b: '2', c: '2' }) }, never),
    ).rejects.toEqual(moved);
    expect((await first.load('b', never)).get('b')).toBe('1');
  });

  if (harness.atomic)
    it('shows nothing of a batch that is refused', async () => {
      const scene = openScene(harness);
      const t = simple(scene);
      const [first, second] = [await scene.open(t), await scene.open(t)];
      await first.apply(stream, { ...part([insert(t, [1, 'a'])]), checkpoint: moving({ b: '1' }) }, never);
      const refused = { ...part([insert(t, [2, 'b'])]), checkpoint: moving({ a: '2', b: '2', c: '2' }) };
      await expect(second.apply(stream, refused, never)).rejects.toEqual(moved);
      expect(await first.load('', never)).toEqual(new Map([['b', '1']]));
      expect(await scene.rows(t)).toEqual(scene.expected(t, [[1, 'a']]));
    });

  it('goes on after it has loaded what another process wrote', async () => {
    const scene = openScene(harness);
    const [first, second] = [await scene.open(), await scene.open()];
    await first.apply(stream, batch([], '1'), never);
    expect(await second.load('', never)).toEqual(new Map([['stream', '1']]));
    await second.apply(stream, batch([], '2'), never);
    expect(await second.load('', never)).toEqual(new Map([['stream', '2']]));
  });
}
