import fastify, { type FastifyInstance } from 'fastify';
import type { BuiltInRegistry } from '../../codec/registry/builtin.ts';
import { toLockstepError } from '../../core/errors.ts';

/** The built-in schema registry, which can be opened only once Kafka answers. */
export interface OpenableRegistry {
  open(): Promise<BuiltInRegistry>;
}

/**
 * Serves the built-in registry under /registry. Until Kafka answers it is 503 with Confluent's error code for that, while the rest of
 * the listener works; so the routes are an instance of their own that requests are handed to.
 */
export function serveRegistry(server: FastifyInstance, schemas: OpenableRegistry): void {
  let routes: Promise<FastifyInstance> | null = null;
  const open = async (): Promise<FastifyInstance> => {
    const [registry, { registryRoutes }] = await Promise.all([
      schemas.open(),
      import('../../codec/registry/routes.ts'),
    ]);
    const inner = fastify({ logger: false });
    await inner.register(registryRoutes(registry), { prefix: '/registry' });
    await inner.ready();
    return inner;
  };
  server.addHook('onClose', async () => await (await routes?.catch(() => null))?.close());
  server.addHook('onRequest', async (request, reply) => {
    if (!/^\/registry(?:[/?]|$)/.test(request.url)) return undefined;
    routes ??= open().catch((error: unknown) => {
      routes = null;
      throw error;
    });
    try {
      const inner = await routes;
      reply.hijack();
      inner.routing(request.raw, reply.raw);
      return reply;
    } catch (error) {
      const { code } = toLockstepError(error);
      return await reply
        .code(503)
        .send({ error_code: 50302, message: `the schemas cannot be read from Kafka (${code})` });
    }
  });
}
