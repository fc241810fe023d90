import { LockstepError } from '../../../core/errors.ts';

/** First and last number of a run of transactions, both inside. */
type Interval = [first: number, last: number];

/**
 * MySQL's GTID set: for each source (`uuid` or `uuid:tag`) the transactions it holds, as sorted runs that do not touch.
 * Source: https://dev.mysql.com/doc/refman/9.4/en/replication-gtids-concepts.html
 */
export class GtidSet {
  readonly #sources = new Map<string, Interval[]>();

  /** Reads `uuid:1-5:7,uuid2:tag:1-3`. Errors: BUG on text that is not a GTID set. */
  static parse(text: string): GtidSet {
    const set = new GtidSet();
    for (const part of text.split(',')) {
      const trimmed = part.trim();
      if (trimmed !== '') set.#addPart(trimmed);
    }
    return set;
  }

  add(source: string, number: number): void {
    this.#addRun(source, number, number);
  }

  has(source: string, number: number): boolean {
    return this.#sources.get(source)?.some(([first, last]) => first <= number && number <= last) ?? false;
  }

  /** True when every transaction of `other` is in this set. */
  covers(other: GtidSet): boolean {
    for (const [source, runs] of other.#sources) {
      const own = this.#sources.get(source) ?? [];
      if (!runs.every(([first, last]) => own.some((run) => run[0] <= first && last <= run[1]))) return false;
    }
    return true;
  }

  /** The transactions of this set that are not in `other`. */
  without(other: GtidSet): GtidSet {
    const rest = new GtidSet();
    for (const [source, runs] of this.#sources) {
      const left = other.#sources.get(source)?.reduce(cutOut, runs) ?? runs;
      if (left.length > 0)
        rest.#sources.set(
          source,
          left.map(([first, last]) => [first, last]),
        );
    }
    return rest;
  }

  /** The transaction of a source with the highest number, as a GTID; null where there is none. */
  lastOf(source: string): string | null {
    const last = this.#sources.get(source)?.at(-1)?.[1];
    return last === undefined ? null : `${source}:${last}`;
  }

  copy(): GtidSet {
    const copy = new GtidSet();
    for (const [source, runs] of this.#sources)
      copy.#sources.set(
        source,
        runs.map(([first, last]) => [first, last]),
      );
    return copy;
  }

  toString(): string {
    const run = ([first, last]: Interval): string => (first === last ? `${first}` : `${first}-${last}`);
    return [...this.#sources].map(([source, runs]) => `${source}:${runs.map(run).join(':')}`).join(',');
  }

  /** How many transactions it holds. */
  get size(): number {
    let size = 0;
    for (const runs of this.#sources.values()) for (const [first, last] of runs) size += last - first + 1;
    return size;
  }

  /**
   * The set as COM_BINLOG_DUMP_GTID wants it. With tags, which servers before 8.3 do not know, the count stands between two bytes that say
   * so, and each source has its tag behind the UUID. Source: sql/rpl_gtid_set.cc, Gtid_set::encode.
   */
  encode(): Buffer {
    const sources = [...this.#sources].map(([source, runs]) => ({
      uuid: source.slice(0, 36),
      tag: source.slice(37),
      runs,
    }));
    const tagged = sources.some(({ tag }) => tag !== '');
    const count = BigInt(sources.length);
    const parts = [uint64(tagged ? (1n << 56n) | (count << 8n) | 1n : count)];
    for (const { uuid, tag, runs } of sources) {
      parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
      if (tagged) parts.push(Buffer.of(tag.length << 1), Buffer.from(tag, 'ascii'));
      parts.push(uint64(BigInt(runs.length)));
      for (const [first, last] of runs) parts.push(uint64(BigInt(first)), uint64(BigInt(last) + 1n));
    }
    return Buffer.concat(parts);
  }

  #addPart(part: string): void {
    const [uuid = '', ...rest] = part.split(':');
    let source = uuid.toLowerCase();
    for (const token of rest) {
      const run = /^(\d+)(?:-(\d+))?$/.exec(token);
      if (run !== null) this.#addRun(source, Number(run[1]), Number(run[2] ?? run[1]));
      else if (/^[a-z_]\w*$/i.test(token)) source = `${uuid.toLowerCase()}:${token.toLowerCase()}`;
      else throw new LockstepError('BUG', `not a GTID set: ${part}`);
    }
  }

  #addRun(source: string, first: number, last: number): void {
    const runs = this.#sources.get(source);
    if (runs === undefined) {
      this.#sources.set(source, [[first, last]]);
      return;
    }
    const newest = runs.at(-1);
    if (newest !== undefined && newest[1] === first - 1) {
      newest[1] = last;
      return;
    }
    this.#sources.set(source, merged([...runs, [first, last]]));
  }
}

/** What is left of runs without one run. */
function cutOut(runs: Interval[], [first, last]: Interval): Interval[] {
  return runs.flatMap(([from, to]): Interval[] => {
    if (last < from || to < first) return [[from, to]];
    const before: Interval[] = from < first ? [[from, first - 1]] : [];
    return last < to ? [...before, [last + 1, to]] : before;
  });
}

function merged(runs: Interval[]): Interval[] {
  const sorted = runs.toSorted((a, b) => a[0] - b[0]);
  const result: Interval[] = [];
  for (const [first, last] of sorted) {
    const open = result.at(-1);
    if (open !== undefined && first <= open[1] + 1) open[1] = Math.max(open[1], last);
    else result.push([first, last]);
  }
  return result;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
