import { reachedFrom, type ForeignKey } from './foreign-key.ts';
import type { Transforms } from './transform.ts';

/** What transforms make of tables so that foreign keys cannot be followed in the target, in whole sentences. */
export function keyWarnings(transforms: Transforms, keys: readonly ForeignKey[]): string[] {
  const carried = new Set(transforms.keys(keys).map((key) => `${key.child.origin} ${key.name}`));
  return keys.flatMap((key): string[] => {
    const { child, parent, name } = key;
    const to = transforms.compiled(child);
    if (to === null) return [];
    const from = transforms.compiled(parent);
    const isMiddle = keys.some((other) => other.child.origin === parent.origin);
    const found: string[] = [];
    if (!key.columns.every((index) => transforms.hasColumn(child, index)))
      return [
        `${name} changes rows of ${child.origin} by columns that a transform leaves out or makes anew: that is not followed`,
      ];
    if (isMiddle && !carried.has(`${child.origin} ${name}`))
      found.push(
        `${name} carries changes of ${parent.origin} on to ${child.origin}, and a transform leaves ${from === null ? parent.origin : 'its columns'} out or makes other values of them: changes that come over ${parent.origin} are not followed`,
      );
    if (to.filters === true && (key.onDelete === 'set-null' || key.onUpdate !== 'none'))
      found.push(
        `${name} gives rows of ${child.origin} other values, and a row that meets or misses a condition of a transform only then stays as it was`,
      );
    if (to.filters === true && reachedFrom(keys, child.origin).size > 0)
      found.push(
        `rows of ${child.origin} that a transform leaves out carry nothing on to ${[...reachedFrom(keys, child.origin)].join(', ')}`,
      );
    return found;
  });
}
