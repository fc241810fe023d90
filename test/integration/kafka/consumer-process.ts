import { toLockstepError } from '../../../core/errors.ts';
import { sleep } from '../../../core/signals.ts';
import { consume, never, type Places } from './scene.ts';
import { SharedTarget } from './shared-target.ts';

/** Consumes a pipeline into a shared target until it is killed, starting again after errors that pass, as the supervisor does. */
const { places, pipeline, file, sessionMs, slowMs } = JSON.parse(process.argv[2] ?? '') as {
  places: Places;
  pipeline: string;
  file: string;
  sessionMs: number;
  slowMs: number;
};

for (;;) {
  const target = new SharedTarget(file, slowMs);
  try {
    await consume(places, pipeline, target, never, { sessionMs });
  } catch (error) {
    const { code, verdict, message } = toLockstepError(error);
    process.stdout.write(`${code} ${message}\n`);
    if (verdict !== 'retry') process.exit(1);
  }
  await target.close();
  await sleep(100, never);
}
