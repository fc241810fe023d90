import { expect, it } from 'vitest';
import { Finish, type FinishingLane } from '../../../../connectors/kafka/finish.ts';

class StillLane implements FinishingLane {
  readonly topic = 't';
  readonly partition: number;
  doneTo = 0;
  woken = 0;

  constructor(partition: number) {
    this.partition = partition;
  }

  wake(): void {
    this.woken += 1;
  }
}

it('is done when every partition is, empty ones from the start', () => {
  const finish = new Finish(
    new Map([
      ['t/0', 5],
      ['t/1', 0],
      ['t/2', 3],
    ]),
  );
  const [first, second] = [new StillLane(0), new StillLane(2)];
  finish.join(first);
  finish.join(second);
  first.doneTo = 4;
  finish.settled(first);
  second.doneTo = 3;
  finish.settled(second);
  expect(finish.everybody).toBe(false);
  first.doneTo = 5;
  finish.settled(first);
  expect(finish.everybody).toBe(true);
  expect(second.woken).toBeGreaterThan(0);
});

it('is done at once where nothing is to be read', () => {
  expect(new Finish(new Map()).everybody).toBe(true);
  expect(new Finish(new Map([['t/0', 0]])).everybody).toBe(true);
});

it('lets a barrier behind the end pass only for a lane that needs it', () => {
  const finish = new Finish(
    new Map([
      ['t/0', 10],
      ['t/1', 4],
    ]),
  );
  const [far, near] = [new StillLane(0), new StillLane(1)];
  near.doneTo = 4;
  finish.join(far);
  finish.join(near);
  finish.meets(near, 'x', 6);
  expect(finish.needs('x')).toBe(false);
  finish.meets(far, 'x', 9);
  expect(finish.needs('x')).toBe(true);
  expect(near.woken).toBeGreaterThan(0);
});
