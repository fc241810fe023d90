import { until } from './process.ts';
import type { Recipe, Server } from './server.ts';

/** A server that somebody else runs. Throws when it does not answer within 30 s. */
export async function externalServer(recipe: Recipe, url: string): Promise<Server> {
  const refuse = () =>
    Promise.reject(
      new Error(`${recipe.title} comes from ${recipe.variable}: it can neither be stopped nor started here`),
    );
  const version = await until(30, () => recipe.probe(url)).catch((failure: unknown) => {
    throw new Error(`${recipe.title} at ${recipe.variable} does not answer`, { cause: failure });
  });
  return {
    kind: recipe.kind,
    url,
    version,
    origin: recipe.variable,
    pid: null,
    dir: null,
    restart: refuse,
    kill: refuse,
    start: refuse,
    pause: refuse,
    resume: refuse,
    stop: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
