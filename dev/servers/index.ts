import { dockerAnswers, startDocker } from './docker.ts';
import { externalServer } from './external.ts';
import { startLocal } from './local.ts';
import type { Kind, Program, Recipe, Server, StartOptions } from './server.ts';

export { KINDS } from './server.ts';
export type { Kind, Server, StartOptions } from './server.ts';

/** Imported only when wanted: each brings a database driver along. */
const recipes: Readonly<Record<Kind, () => Promise<Recipe>>> = {
  mariadb: async () => (await import('./mariadb.ts')).mariadb,
  mysql: async () => (await import('./mysql.ts')).mysql,
  postgres: async () => (await import('./postgres.ts')).postgres,
  mongodb: async () => (await import('./mongodb.ts')).mongodb,
  kafka: async () => (await import('./kafka.ts')).kafka,
  registry: async () => (await import('./registry.ts')).registry,
};

/**
 * Finds or starts a server and resolves when it answers. It comes from the first of these that there is: a URL in the
 * environment, Docker, a program on this machine, a program that is installed on the spot. Throws with what to do when
 * there is none, or with the end of the server's log when it does not come up.
 */
export async function startServer(kind: Kind, options: StartOptions = {}): Promise<Server> {
  const recipe = await recipes[kind]();
  const url = process.env[recipe.variable];
  const encrypted = options.encryptedLog === true;
  const here = encrypted || options.here === true;
  const ours = options.own === true || here || (options.args ?? []).length > 0;
  if (url !== undefined && url !== '' && !ours) return await externalServer(recipe, url);
  if (!here && (await dockerAnswers())) return await startDocker(recipe, options);
  return await startLocal(recipe, await programFor(recipe), options);
}

/** The environment variable that names a running server of this kind. */
export async function variableOf(kind: Kind): Promise<string> {
  return (await recipes[kind]()).variable;
}

async function programFor(recipe: Recipe): Promise<Program> {
  const found = await recipe.locate();
  if (found !== null) return found;
  return await recipe.install().catch((failure: unknown) => {
    const why = failure instanceof Error ? failure.message : String(failure);
    const remedy = `Set ${recipe.variable}, start Docker, or install it yourself.`;
    throw new Error(`There is no ${recipe.title} here. ${remedy} It cannot be installed for you: ${why}`, {
      cause: failure,
    });
  });
}
