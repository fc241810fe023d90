/** `npm run fuzz -- --seconds 300`, or `--seed 123 --cases 1` for one that failed. */
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, cases: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const report = await runCampaign({
  seed,
  cases: Number(values.cases ?? Infinity),
  seconds: Number(values.seconds ?? 60),
});
const outcomes = [...report.outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ');
process.stdout.write(`seed ${seed}: ${report.done} logs, ${report.rows} rows, ${outcomes}\n`);
if (report.failure !== null) {
  process.stdout.write(`FAILED at --seed ${report.failure.seed} --cases 1: ${report.failure.what}\n`);
  process.exitCode = 1;
}
