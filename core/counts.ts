export type CountsByTable = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** How often things of different names happened, by table origin. */
export class Counts {
  #tables = new Map<string, Map<string, number>>();

  add(origin: string, name: string, count = 1): void {
    let names = this.#tables.get(origin);
    if (names === undefined) {
      names = new Map();
      this.#tables.set(origin, names);
    }
    names.set(name, (names.get(name) ?? 0) + count);
  }

  addAll(counts: CountsByTable): void {
    for (const [origin, names] of counts) for (const [name, count] of names) this.add(origin, name, count);
  }

  copy(): Counts {
    const copy = new Counts();
    copy.addAll(this.#tables);
    return copy;
  }

  /** What was counted since the last call. */
  take(): CountsByTable {
    const counts = this.#tables;
    this.#tables = new Map();
    return counts;
  }
}
