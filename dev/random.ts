/** Numbers that look random and are the same for the same seed on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number in [0, below). */
  int(below: number): number;
  /** A whole number in [from, to]. */
  between(from: number, to: number): number;
  /** One of these, each as likely. */
  pick<T>(items: readonly [T, ...T[]]): T;
  chance(probability: number): boolean;
  bytes(length: number): Buffer;
}

/** Source of the generator: T. Ettinger's mulberry32, public domain; 32 bits of state are enough for data. */
export function seeded(seed: number): Random {
  let state = (seed * 2_654_435_761) | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    next,
    int,
    between: (from, to) => from + int(to - from + 1),
    pick: (items) => items[int(items.length)] ?? items[0],
    chance: (probability) => next() < probability,
    bytes(length) {
      const bytes = Buffer.allocUnsafe(length);
      for (let i = 0; i < length; i += 1) bytes[i] = int(256);
      return bytes;
    },
  };
}
