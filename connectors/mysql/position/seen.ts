import { LockstepError } from '../../../core/errors.ts';

/** The highest sequence number of each writer, named `domain-server`, as MariaDB's `gtid_binlog_state` lists them. */
export type Writers = ReadonlyMap<string, number>;

/** Reads `0-1-100,0-2-57`. Errors: BUG. */
export function parseWriters(text: string): Map<string, number> {
  const writers = new Map<string, number>();
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const dash = part.lastIndexOf('-');
    const sequence = Number(part.slice(dash + 1));
    if (dash < 0 || Number.isNaN(sequence)) throw new LockstepError('BUG', `not a MariaDB GTID: ${part}`);
    note(writers, part.slice(0, dash), sequence);
  }
  return writers;
}

export function formatWriters(writers: Writers): string {
  return [...writers].map(([writer, sequence]) => `${writer}-${sequence}`).join(',');
}

function note(writers: Map<string, number>, writer: string, sequence: number): void {
  const known = writers.get(writer);
  if (known === undefined || known < sequence) writers.set(writer, sequence);
}

/** The highest sequence number of a domain, whoever wrote it; null where nobody did. */
export function highestOf(writers: Writers, domain: number): number | null {
  const numbers = [...writers].flatMap(([writer, sequence]) => (writer.startsWith(`${domain}-`) ? [sequence] : []));
  return numbers.length === 0 ? null : Math.max(...numbers);
}

/** Who wrote what the stream has handed on: what else a log holds of that time is errant. */
export class Seen {
  /** The sequence number of each domain at which this began. */
  readonly #since: ReadonlyMap<string, number>;
  readonly #writers: Map<string, number>;

  constructor(since: ReadonlyMap<string, number>, writers: Map<string, number>) {
    this.#since = since;
    this.#writers = writers;
  }

  /** Begins at a position. */
  static from(domains: ReadonlyMap<number, { readonly server: number; readonly sequence: number }>): Seen {
    const since = [...domains].map(([domain, { sequence }]) => [String(domain), sequence] as const);
    const writers = [...domains].map(([domain, { server, sequence }]) => [`${domain}-${server}`, sequence] as const);
    return new Seen(new Map(since), new Map(writers));
  }

  /** Errors: BUG. */
  static parse(text: string): Seen {
    const [since = '', writers = ''] = text.split(';');
    return new Seen(parseWriters(since), parseWriters(writers));
  }

  toString(): string {
    return `${formatWriters(this.#since)};${formatWriters(this.#writers)}`;
  }

  add(domain: string, server: number, sequence: number): void {
    note(this.#writers, `${domain}-${server}`, sequence);
  }

  /** GTIDs of a log that stand, by their numbers, before a position and were not handed on. */
  missedOf(logged: Writers, domains: ReadonlyMap<number, { readonly sequence: number }>): string[] {
    return [...logged].flatMap(([writer, sequence]) => {
      const domain = writer.slice(0, writer.indexOf('-'));
      const last = domains.get(Number(domain))?.sequence ?? 0;
      const isOfTheTime = sequence > (this.#since.get(domain) ?? 0) && sequence <= last;
      return isOfTheTime && sequence > (this.#writers.get(writer) ?? 0) ? [`${writer}-${sequence}`] : [];
    });
  }
}
