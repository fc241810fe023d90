import { run, findProgram, freePort, until } from './process.ts';
import { afterOurEnd } from './reaper.ts';
import type { Recipe, Server, StartOptions } from './server.ts';

let answers: Promise<boolean> | undefined;

/** True where a Docker daemon can be reached; asked once. */
export function dockerAnswers(): Promise<boolean> {
  answers ??= findProgram(['docker']).then(async (docker) => {
    if (docker === null) return false;
    return await run([docker, 'version', '--format', '{{.Server.Version}}']).then(
      () => true,
      () => false,
    );
  });
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
    until(120, () => recipe.probe(url, options.fast ?? false)).catch(async (failure: unknown) => {
      const log = await run(['docker', 'logs', '--tail', '20', name]).catch(String);
      throw new Error(`${recipe.title} in Docker does not answer on ${url}:\n${log}`, { cause: failure });
    });
  const stop = async () => {
    await docker('rm', '-f', '-v');
    dismiss();
  };

  const settings = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  await run(['docker', 'run', '-d', '--name', name, '-p', `127.0.0.1:${port}:${port}`, ...settings, image, ...args]);
  return {
    ...{ kind: recipe.kind, url, version: await ready(), origin: `docker ${image}`, pid: null, dir: null },
    restart: () => docker('restart').then(ready).then(() => {}),
    kill: () => docker('kill'),
    start: () => docker('start').then(ready).then(() => {}),
    pause: () => docker('pause'),
    resume: () => docker('unpause'),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
