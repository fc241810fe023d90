/** A topic's partition as one string: a key for maps. */
export type PartitionName = `${string}/${number}`;

export function partitionName(topic: string, partition: number): PartitionName {
  return `${topic}/${partition}`;
}

/** The topic's name holds no `/`. */
export function topicOf(name: PartitionName): string {
  return name.slice(0, name.lastIndexOf('/'));
}

export function partitionOf(name: PartitionName): number {
  return Number(name.slice(name.lastIndexOf('/') + 1));
}
