import { LockstepError } from '../../core/errors.ts';

/** The lane of a partition. */
export function laneName(topic: string, partition: number): string {
  return `kafka/${topic}/${partition}`;
}

/**
 * The checkpoint entry of a lane. More than the lane's name, so that loading partition 1 by prefix does not also load partition 10: a
 * load takes note of versions, and those of a partition that was lost must stay as they were (G8).
 */
export function entryName(lane: string): string {
  return `${lane}/offset`;
}

/** The token of a lane that read everything before `offset`. */
export function writeToken(offset: number): string {
  return JSON.stringify({ offset });
}

export function readToken(token: string, entry: string): number {
  const parsed: unknown = JSON.parse(token);
  if (typeof parsed === 'object' && parsed !== null && 'offset' in parsed && typeof parsed.offset === 'number') {
    return parsed.offset;
  }
  throw new LockstepError('BUG', `the checkpoint ${entry} holds no offset`);
}

/** What a target's entries say, in lines for people. */
export function describe(entries: ReadonlyMap<string, string>): readonly string[] {
  const lines: string[] = [];
  for (const [name, token] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [, topic = '', partition = ''] = /^kafka\/([^/]+)\/(\d+)\/offset$/.exec(name) ?? [];
    if (topic !== '') lines.push(`${topic}  partition ${partition}  next offset ${readToken(token, name)}`);
  }
  return lines;
}
