import type { Level } from './levels.ts';
import type { Registry } from './registry.ts';

/** The same registry, in which each subject gets this level before the first schema that is registered under it here. */
export function withLevel(registry: Registry, level: Level): Registry {
  const levelled = new Map<string, Promise<void>>();
  return {
    async register(subject, schemaJson, signal) {
      const setting = levelled.get(subject) ?? registry.setLevel(subject, level, signal);
      levelled.set(subject, setting);
      await setting.catch((error: unknown) => {
        levelled.delete(subject);
        throw error;
      });
      return await registry.register(subject, schemaJson, signal);
    },
    schema: async (id, signal) => await registry.schema(id, signal),
    latest: async (subject, signal) => await registry.latest(subject, signal),
    setLevel: async (subject, other, signal) => await registry.setLevel(subject, other, signal),
    close: async () => await registry.close(),
  };
}
