import { announced } from './install.ts';
import { freePort, run, succeeds, until } from './process.ts';
import { afterOurEnd } from './reaper.ts';
import type { Recipe, Server, StartOptions } from './server.ts';

let answers: Promise<boolean> | undefined;

/** True where a Docker daemon can be reached; asked once. */
export function dockerAnswers(): Promise<boolean> {
  answers ??= succeeds(['docker', 'version', '--format', '{{.Server.Version}}']);
  return answers;
}

/** Runs the recipe's container on a port of 127.0.0.1. Throws with the end of its log when it does not answer in 2 minutes. */
export async function startDocker(recipe: Recipe, options: StartOptions): Promise<Server> {
  const port = await freePort();
  const { image, env, args } = recipe.container(port, options);
  const name = `lockstep-${recipe.kind}-${process.pid}-${port}`;
  const dismiss = options.keep === true ? () => {} : afterOurEnd('docker rm -f -v "$1"', name);
  const docker = async (...command: string[]) => void (await run(['docker', ...command, name]));
  const url = recipe.url(port);

  const ready = () =>
    until(120, () => recipe.probe(url)).catch(async (failure: unknown) => {
      const log = await run(['sh', '-c', 'docker logs --tail 20 "$0" 2>&1', name]).catch(String);
      throw new Error(`${recipe.title} in Docker does not answer on ${url}:\n${log}`, { cause: failure });
    });
  const stop = async () => {
    await docker('rm', '-f', '-v');
    dismiss();
  };

  await pull(image);
  const settings = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  await run(['docker', 'run', '-d', '--name', name, '-p', `127.0.0.1:${port}:${port}`, ...settings, image, ...args]);
  const version = await ready();
  return {
    kind: recipe.kind,
    url,
    version: version === 'unknown' ? image.slice(image.indexOf(':') + 1) : version,
    origin: `docker ${image}`,
    pid: null,
    dir: null,
    restart: async () => {
      await docker('restart');
      await ready();
    },
    kill: () => docker('kill'),
    start: async () => {
      await docker('start');
      await ready();
    },
    pause: () => docker('pause'),
    resume: () => docker('unpause'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function pull(image: string): Promise<void> {
  if (await succeeds(['docker', 'image', 'inspect', image])) return;
  await announced(`Docker image ${image}`, 30, () => run(['docker', 'pull', '-q', image]));
}
