import { toLockstepError } from '../../core/errors.ts';
import type { Check } from '../../core/plugin.ts';
import { loadConfig, type Config } from '../config/load.ts';
import { heldEntries, pipelineRuns, type PipelineRun } from '../pipeline.ts';
import { failureOf } from '../supervise.ts';
import { transformsOf } from '../registry.ts';
import { aligned, plural } from './format.ts';
import { EXIT, outputFor, type Exit } from './output.ts';

/** An end that does not answer fails its check after this long. */
const ANSWER_WITHIN_MS = 20_000;

/** What was checked of one end of the pipeline. */
interface Section {
  readonly title: string;
  readonly checks: readonly Check[];
}

/** `lockstep doctor`: checks every end and says what mends what failed. */
export async function doctor(file: string, json: boolean): Promise<Exit> {
  const output = outputFor(json);
  const config = await loadConfig(file);
  const runs = pipelineRuns(config, null);
  const examined = await Promise.all(examinations(config, runs).map(async (examine) => await examine()));
  const sections = examined.filter(({ checks }) => checks.length > 0);
  for (const section of sections) {
    output.line(section.title);
    for (const line of checkLines(section.checks)) output.line(`  ${line}`);
    output.line('');
  }
  const all = sections.flatMap((section) => section.checks);
  const numberOf = (outcome: Check['outcome']): number => all.filter((check) => check.outcome === outcome).length;
  const [failed, warned] = [numberOf('fail'), numberOf('warn')];
  output.line(`${plural(all.length, 'check')}: ${numberOf('pass')} pass, ${warned} warn, ${failed} fail`);
  output.result({ pipeline: config.name, passed: failed === 0, sections });
  return failed === 0 ? EXIT.done : EXIT.blocked;
}

/** Every end once: the source of direct runs is the same for all. */
function examinations(config: Config, runs: readonly PipelineRun[]): (() => Promise<Section>)[] {
  const ends = new Map<string, (signal: AbortSignal) => Promise<readonly Check[]>>();
  for (const { source, target } of runs) {
    for (const end of [source, target]) {
      if (!ends.has(end.label)) ends.set(end.label, async (signal) => await end.check(signal));
    }
  }
  const examined = [...ends].map(([title, check]) => async (): Promise<Section> => {
    return { title, checks: await orFailure('connection', config, check) };
  });
  const resumed = runs.map((run) => async () => await positionSection(run, config));
  const transformed = Object.entries(config.targets).filter(([, { transforms }]) => transforms.length > 0);
  return [
    ...examined,
    ...resumed,
    ...transformed.map(
      ([name]) =>
        async () =>
          await transformsSection(config, name),
    ),
  ];
}

/** Whether the source as it answers now can go on from what the target holds: to be known before a failover, too. A target that does not answer has said so. */
async function positionSection(run: PipelineRun, config: Config): Promise<Section> {
  const title = `${run.source.label} from where ${run.target.label} is`;
  const entries = await heldEntries(run, AbortSignal.timeout(ANSWER_WITHIN_MS)).catch(() => null);
  if (entries === null || entries.size === 0) return { title, checks: [] };
  return {
    title,
    checks: await orFailure('server', config, async (signal) => await run.source.checkTakeover(entries, signal)),
  };
}

async function transformsSection(config: Config, target: string): Promise<Section> {
  const checks = await orFailure('transforms', config, async () => {
    const { length } = await transformsOf(config, target);
    return [{ name: 'transforms', outcome: 'pass', detail: `${plural(length, 'transform')} can be used`, fix: null }];
  });
  return { title: `transforms of ${target}`, checks };
}

/** An error while checking is a failed check: the others are still wanted. */
async function orFailure(
  name: string,
  { secrets }: Config,
  check: (signal: AbortSignal) => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await check(AbortSignal.timeout(ANSWER_WITHIN_MS));
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return [{ name, outcome: 'fail', detail: `no answer within ${ANSWER_WITHIN_MS / 1000} s`, fix: null }];
    }
    const { code, message, fix } = failureOf(toLockstepError(error), secrets, null);
    return [{ name, outcome: 'fail', detail: `${code}   ${message}`, fix: fix === '' ? null : fix }];
  }
}

function checkLines(checks: readonly Check[]): string[] {
  const lines = aligned(checks.map(({ name, outcome, detail }) => [outcome, name, detail]));
  return checks.flatMap(({ fix }, i) => [lines[i] ?? '', ...(fix === null ? [] : [`fix   ${fix}`])]);
}
