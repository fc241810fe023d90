import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { share, type GroupMember } from '../../../../connectors/kafka/assign.ts';
import type { PartitionName } from '../../../../connectors/kafka/partition-name.ts';

const topics = new Map([
  ['shop.a', 4],
  ['shop.b', 3],
  ['shop.c', 1],
]);
const partitions = [...topics].flatMap(([topic, count]) =>
  Array.from({ length: count }, (_, i): PartitionName => `${topic}/${i}`),
);

function member(memberId: string, held: readonly PartitionName[] = [], generation = 1): GroupMember {
  return { memberId, subscription: { topics: [...topics.keys()], held, generation, shape: '' } };
}

/** What the group comes to: members let go of what they were not given, and join again until nothing moves. */
function settled(start: readonly GroupMember[]): Map<string, PartitionName[]> {
  let members = start;
  for (let round = 0; round < 5; round++) {
    const shares = share(members, topics);
    const next = members.map(({ memberId }) => member(memberId, shares.get(memberId), round + 2));
    if (
      JSON.stringify(next.map((m) => m.subscription.held)) === JSON.stringify(members.map((m) => m.subscription.held))
    )
      return shares;
    members = next;
  }
  throw new Error('the group does not come to rest');
}

const groups = fc
  .tuple(
    fc.integer({ min: 1, max: 6 }),
    fc.array(fc.nat(6), { minLength: partitions.length, maxLength: partitions.length }),
  )
  .map(([count, holders]) =>
    Array.from({ length: count }, (_, i) =>
      member(
        `m${i}`,
        partitions.filter((_, p) => holders[p] === i),
      ),
    ),
  );

it('gives every partition to one member, evenly, once all have let go', () => {
  fc.assert(
    fc.property(groups, (members) => {
      const shares = [...settled(members).values()];
      expect(shares.flat().sort()).toEqual([...partitions].sort());
      const sizes = shares.map((names) => names.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

it('never gives a partition to one member while another holds it', () => {
  fc.assert(
    fc.property(groups, (members) => {
      const holders = new Map(
        members.flatMap(({ memberId, subscription }) => subscription.held.map((name) => [name, memberId])),
      );
      for (const [memberId, names] of share(members, topics)) {
        for (const name of names) expect(holders.get(name) ?? memberId).toBe(memberId);
      }
    }),
  );
});

it('moves no more than it must when a member joins or leaves', () => {
  const two = settled([member('a'), member('b')]);
  const held = (shares: Map<string, PartitionName[]>, id: string): PartitionName[] => shares.get(id) ?? [];
  const three = settled([member('a', held(two, 'a')), member('b', held(two, 'b')), member('c')]);
  for (const id of ['a', 'b']) for (const name of held(three, id)) expect(held(two, id)).toContain(name);
  const one = settled([member('a', held(three, 'a')), member('c', held(three, 'c'))]);
  for (const name of held(three, 'a')) expect(held(one, 'a')).toContain(name);
});

it('believes the newer of two claims', () => {
  const all: PartitionName[] = ['shop.a/0', 'shop.a/1', 'shop.a/2', 'shop.a/3'];
  const shares = share([member('zombie', all, 3), member('alive', all, 4)], topics);
  for (const name of all) expect(shares.get('zombie')).not.toContain(name);
});

it('gives a topic only to those who read it', () => {
  const narrow: GroupMember = {
    memberId: 'n',
    subscription: { topics: ['shop.c'], held: [], generation: 1, shape: '' },
  };
  const shares = settledWith(narrow);
  expect(shares.get('n')?.every((name) => name.startsWith('shop.c/'))).toBe(true);
});

function settledWith(narrow: GroupMember): Map<string, PartitionName[]> {
  return share([narrow, member('w')], topics);
}
