import { sleep, type Bell } from '../../../core/signals.ts';
import type { SettledXa } from '../binlog/settled-xa.ts';
import { beginConsistentSnapshot, readPreparedXa, readVisiblePosition, type Server } from '../connection/server.ts';
import type { TextConnection } from '../connection/text-connection.ts';
import { comparePlaces, type Position } from '../position/position.ts';
import type { Gate, HandedOn } from './gate.ts';
import type { TableCopy } from './table-copy.ts';

export interface LowPositionsOptions {
  readonly gate: Gate;
  readonly server: Server;
  readonly marker: string | null;
  /** Where the stream stands; a chunk is read only at or behind it. */
  readonly handedOn: () => HandedOn & { readonly settledXa: SettledXa };
}

/** A low position, and what was prepared on a MariaDB just behind it. */
interface Low {
  readonly position: Position;
  readonly prepared: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();

/** The tables of which a chunk each is read at one position. */
type Copies = readonly TableCopy[];

/** Finds positions that list only what a chunk read from then on shows, and keeps the stream from passing them (rules 0 and 1). */
export class LowPositions {
  readonly #options: LowPositionsOptions;
  readonly #isAtOnce: (copy: TableCopy) => boolean;
  readonly #moved: Bell;

  constructor(options: LowPositionsOptions, isAtOnce: (copy: TableCopy) => boolean, moved: Bell) {
    this.#options = options;
    this.#isAtOnce = isAtOnce;
    this.#moved = moved;
  }

  /**
   * Holds the stream at a position at which a chunk may be read now, until it is released; null where the reader must come again. With several
   * tables a chunk of each, none of which is one to be read at once.
   */
  async take(connection: TextConnection, copies: Copies, signal: AbortSignal): Promise<Position | null> {
    const held = await this.#hold(connection, copies, signal);
    if (held === null) return null;
    if (await this.#isVisible(connection, copies, held, signal)) return held.position;
    this.release(copies, held.position);
    await this.#endSnapshot(connection, copies, signal);
    await sleep(2, signal);
    return null;
  }

  release(copies: Copies, low: Position): void {
    for (const copy of copies) copy.inFlight -= 1;
    this.#options.gate.release(low);
    this.#moved.notify();
  }

  /** Reads a position that lists all the stream has handed on and keeps the stream from passing it. */
  async #hold(connection: TextConnection, copies: Copies, signal: AbortSignal): Promise<Low | null> {
    const { gate } = this.#options;
    const isAnother = restarted(copies);
    gate.close();
    try {
      for (;;) {
        const low = await this.#low(connection, copies, signal);
        if (isAnother()) {
          await this.#endSnapshot(connection, copies, signal);
          return null;
        }
        const { position } = low;
        if (copies.every((copy) => copy.isSameOrLater(position)) && gate.hold(position, this.#options.handedOn())) {
          for (const copy of copies) {
            copy.inFlight += 1;
            copy.firstLow ??= position;
          }
          return low;
        }
        await this.#endSnapshot(connection, copies, signal);
        await sleep(2, signal);
      }
    } finally {
      gate.open();
    }
  }

  /** A position that lists only what a read that starts now shows; where the server can, of a snapshot that is open then. */
  async #low(connection: TextConnection, copies: Copies, signal: AbortSignal): Promise<Low> {
    const { server, marker } = this.#options;
    const position = await readVisiblePosition(connection, server, marker, signal);
    const prepared = server.flavour === 'mariadb' ? await readPreparedXa(connection, signal) : none;
    if (copies.some(this.#isAtOnce)) await beginConsistentSnapshot(connection, signal);
    return { position, prepared };
  }

  /**
   * Whether a read that starts now shows all that the low position lists (rule 0). MariaDB lists the commit of an XA transaction for a moment
   * before its rows are visible, and as prepared until they are. Which of those have committed the stream tells, once it stands at the low position.
   */
  async #isVisible(
    connection: TextConnection,
    copies: Copies,
    { position, prepared }: Low,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (prepared.size === 0) return true;
    const { handedOn } = this.#options;
    const isAnother = restarted(copies);
    while (comparePlaces(handedOn().position.place, position.place) < 0) {
      // The stream may wait for this very chunk, to begin the table's copy over.
      if (isAnother()) return false;
      await sleep(2, signal);
    }
    const { settledXa } = handedOn();
    // An open snapshot does not come to see what was not visible when it was opened.
    const still = copies.some(this.#isAtOnce) ? prepared : await readPreparedXa(connection, signal);
    return !settledXa.hasAnyOf(still);
  }

  async #endSnapshot(connection: TextConnection, copies: Copies, signal: AbortSignal): Promise<void> {
    if (copies.some(this.#isAtOnce)) await connection.query('COMMIT', signal);
  }
}

/** What tells whether the copy of one of them has begun over since, or is about to. */
function restarted(copies: Copies): () => boolean {
  const epochs = copies.map(({ epoch }) => epoch);
  return () => copies.some((copy, i) => copy.paused || copy.epoch !== epochs[i]);
}
