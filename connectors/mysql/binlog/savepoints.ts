/** The savepoints of a transaction: how many of its changes stood before each. */
export class Savepoints {
  #marks: { readonly name: string; readonly changes: number }[] = [];

  set(name: string, changes: number): void {
    this.#marks = this.#marks.filter((mark) => mark.name !== name);
    this.#marks.push({ name, changes });
  }

  /** How many changes remain; null for a savepoint that was not set. Those set later are gone. */
  rollBackTo(name: string): number | null {
    const at = this.#marks.findIndex((mark) => mark.name === name);
    this.#marks = this.#marks.slice(0, at + 1);
    return this.#marks.at(-1)?.changes ?? null;
  }

  clear(): void {
    this.#marks = [];
  }
}

/** The savepoint's name in `SAVEPOINT x`, `ROLLBACK TO x` and the like; servers compare them without regard to case. */
export function savepointName(statement: string): string {
  const [, quoted, plain = ''] = /(?:`((?:[^`]|``)*)`|([^\s`]+))\s*$/.exec(statement) ?? [];
  return (quoted?.replaceAll('``', '`') ?? plain.replaceAll('"', '')).toLowerCase();
}
