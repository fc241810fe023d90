import type { Running } from '../e2e/cli.ts';
import { until } from '../e2e/cli.ts';
import { said } from './kills.ts';

/** What /health says of the target `warehouse`: the status, and why it is not healthy. */
export interface Health {
  readonly status: number;
  readonly reason: string | null;
}

/** Where a running pipeline listens: its `http.listen` must be given, with port 0. */
export async function addressOf(running: Running): Promise<string> {
  const address = (): string | undefined => /listening on (http:\/\/\S+)/.exec(running.stdout())?.[1];
  await until(
    () => address() !== undefined,
    () => said(running),
  );
  return address() ?? '';
}

export async function healthOf(address: string): Promise<Health> {
  const answer = await fetch(`${address}/health`, { signal: AbortSignal.timeout(5000) });
  const { targets } = (await answer.json()) as { targets: { warehouse: { reason: string | null } } };
  return { status: answer.status, reason: targets.warehouse.reason };
}

/** Waits for a state of /health. */
export async function untilHealth(running: Running, address: string, is: (health: Health) => boolean): Promise<Health> {
  let last: Health = { status: 0, reason: null };
  await until(
    async () => is((last = await healthOf(address))),
    () => `/health stays ${JSON.stringify(last)}: ${said(running)}`,
  );
  return last;
}
