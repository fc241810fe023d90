import type { Subscription } from './membership.ts';
import { partitionName, topicOf, type PartitionName } from './partition-name.ts';

export interface GroupMember {
  readonly memberId: string;
  readonly subscription: Subscription;
}

/**
 * Shares the partitions among the members: as evenly as can be, each keeping what it holds where it can. A partition that is to move
 * is given to nobody while its holder still works on it; the holder finishes, lets go and joins again, and then the partition is free
 * (cooperative rebalancing, KIP-429). So nobody starts where another has not ended, and who keeps a partition never stops.
 */
export function share(
  members: readonly GroupMember[],
  partitions: ReadonlyMap<string, number>,
): Map<string, PartitionName[]> {
  const all = [...partitions].flatMap(([topic, count]) => range(count).map((n) => partitionName(topic, n)));
  const holders = currentHolders(members, new Set(all));
  const wanted = balance(members, all, holders);
  const shares = new Map(members.map(({ memberId }): [string, PartitionName[]] => [memberId, []]));
  for (const [partition, memberId] of wanted) {
    const holder = holders.get(partition);
    if (holder === undefined || holder === memberId) shares.get(memberId)?.push(partition);
  }
  return shares;
}

function currentHolders(
  members: readonly GroupMember[],
  existing: ReadonlySet<PartitionName>,
): Map<PartitionName, string> {
  const holders = new Map<PartitionName, string>();
  const byAge = [...members].sort((a, b) => a.subscription.generation - b.subscription.generation);
  for (const { memberId, subscription } of byAge) {
    for (const partition of subscription.held) if (existing.has(partition)) holders.set(partition, memberId);
  }
  return holders;
}

function balance(
  members: readonly GroupMember[],
  all: readonly PartitionName[],
  holders: ReadonlyMap<PartitionName, string>,
): Map<PartitionName, string> {
  const held = (memberId: string): number => all.filter((partition) => holders.get(partition) === memberId).length;
  const ranked = members
    .map((member) => ({ ...member, topics: new Set(member.subscription.topics), held: held(member.memberId), load: 0 }))
    .sort((a, b) => b.held - a.held || (a.memberId < b.memberId ? -1 : 1));
  const extra = ranked.length === 0 ? 0 : all.length % ranked.length;
  const quota = new Map(ranked.map((m, i) => [m, Math.floor(all.length / ranked.length) + (i < extra ? 1 : 0)]));
  const wanted = new Map<PartitionName, string>();
  for (const member of ranked) {
    for (const partition of all) {
      if (member.load >= (quota.get(member) ?? 0)) break;
      if (holders.get(partition) !== member.memberId || !member.topics.has(topicOf(partition))) continue;
      wanted.set(partition, member.memberId);
      member.load += 1;
    }
  }
  for (const partition of all) {
    if (wanted.has(partition)) continue;
    const free = ranked.filter((member) => member.topics.has(topicOf(partition)));
    const member = free.sort((a, b) => a.load - b.load || (a.memberId < b.memberId ? -1 : 1))[0];
    if (member === undefined) continue;
    wanted.set(partition, member.memberId);
    member.load += 1;
  }
  return wanted;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
