/** The origins of tables whose copy a person has paused. It holds for copies that begin later, too. */
export type Paused = Set<string>;

const pausedEntries = 'paused/';

/** Name of the token that says that a table's copy is paused. */
export const pausedEntry = (origin: string): string => `${pausedEntries}${origin}/`;

export function storedPaused(entries: ReadonlyMap<string, string>): Paused {
  const names = [...entries.keys()].filter((name) => name.startsWith(pausedEntries));
  return new Set(names.map((name) => name.slice(pausedEntries.length, -1)));
}
