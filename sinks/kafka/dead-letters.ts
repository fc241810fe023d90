import {
  chosenChains,
  inOrder,
  retryChains,
  type DeadLetter,
  type DeadLetters,
  type LetterFilter,
  type Retried,
} from '../../core/dead-letter.ts';
import type { LockstepError } from '../../core/errors.ts';
import { HeldDraft, HeldKeys } from '../../core/held-keys.ts';
import { deadLetterTopic } from '../../codec/kafka/names.ts';
import { folded } from './fold.ts';
import { readLetters } from './letters.ts';
import { type OpenLane, Publishing, type PublishingParts } from './publishing.ts';

const LANE = 'letters';
const LEAVE_MS = 5000;

type Chains = readonly (readonly DeadLetter[])[];

/**
 * The letters as a person handles them, beside a publisher that may be running. To change them this process becomes the owner for a moment, as a guest:
 * the publisher fails with CHECKPOINT_MOVED at its next batch, waits until the guest has left, and reads the letters anew.
 */
export class KafkaDeadLetters implements DeadLetters {
  readonly #parts: PublishingParts;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
  }

  async list(filter: LetterFilter, signal: AbortSignal): Promise<readonly DeadLetter[]> {
    const publishing = new Publishing(this.#parts, 'guest');
    const chains = await publishing.guarded('cannot read the dead letters', signal, () => this.#chains(filter, signal));
    return inOrder(chains.flat());
  }

  async retry(filter: LetterFilter, signal: AbortSignal): Promise<readonly Retried[]> {
    const retried = await this.#changing(filter, signal, (chains, lane) =>
      retryChains(chains, async (letters) => await publish(letters, lane, signal)),
    );
    return retried ?? [];
  }

  async drop(filter: LetterFilter, signal: AbortSignal): Promise<number> {
    const dropped = await this.#changing(filter, signal, async (chains, lane) => {
      const letters = chains.flat();
      await remove(letters, lane, signal);
      return letters.length;
    });
    return dropped ?? 0;
  }

  async close(): Promise<void> {
    await Promise.all([this.#parts.cluster.close(), this.#parts.registry.close()]);
  }

  /** Null, and nobody is disturbed, where there is nothing to change. */
  async #changing<T>(
    filter: LetterFilter,
    signal: AbortSignal,
    work: (chains: Chains, lane: OpenLane) => Promise<T>,
  ): Promise<T | null> {
    const publishing = new Publishing(this.#parts, 'guest');
    return await publishing.guarded('cannot change the dead letters', signal, async () => {
      if ((await this.#chains(filter, signal)).length === 0) return null;
      const lane = await publishing.lane(LANE, signal);
      try {
        // As they are now that nobody else can change them.
        return await work(await this.#chains(filter, signal), lane);
      } finally {
        await leave(publishing, lane);
      }
    });
  }

  async #chains(filter: LetterFilter, signal: AbortSignal): Promise<Chains> {
    const { cluster, pipeline } = this.#parts;
    return chosenChains(await readLetters(cluster, deadLetterTopic(pipeline), signal), filter);
  }
}

/** All of them in one transaction: in the source's order, else folded to what they come to, for a later change may have mended an earlier one. */
async function publish(
  letters: readonly DeadLetter[],
  lane: OpenLane,
  signal: AbortSignal,
): Promise<Retried['refused']> {
  let refused: LockstepError | null = null;
  for (const changes of [letters.map(({ change }) => change), folded(letters)]) {
    if (changes === null) break;
    refused = await lane.encoder.refusal(changes, signal);
    if (refused !== null) continue;
    await lane.encoder.publish(changes, noneHeld(), signal);
    await remove(letters, lane, signal);
    return null;
  }
  return refused === null ? null : { code: refused.code, reason: refused.message };
}

/** Their keys are held, but not for them. */
function noneHeld(): HeldDraft {
  return new HeldDraft(new HeldKeys(0, []));
}

/** Takes the letters out and commits. */
async function remove(letters: readonly DeadLetter[], lane: OpenLane, signal: AbortSignal): Promise<void> {
  await lane.letters.remove(letters, lane.publisher, signal);
  await lane.publisher.settle(signal);
  await lane.transaction.end('commit', signal);
  lane.letters.committed();
}

/** Nothing depends on it: whoever waits for a guest does not wait for ever. */
async function leave(publishing: Publishing, lane: OpenLane): Promise<void> {
  const signal = AbortSignal.timeout(LEAVE_MS);
  await publishing.abort(signal);
  await publishing.leave(lane, signal).catch(() => undefined);
}
