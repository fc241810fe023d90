import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { toLockstepError } from '../../core/errors.ts';

/** An answer that is no success, with Confluent's `error_code`. */
export interface Problem {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

/** Thrown by the routes of the built-in registry, and only there. */
export class Refusal extends Error {
  readonly problem: Problem;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.problem = { status, code, message };
  }
}

export const noSubject = (subject: string): Refusal => new Refusal(404, 40401, `Subject '${subject}' not found.`);
export const noVersion = (version: string): Refusal => new Refusal(404, 40402, `Version ${version} not found.`);
export const noSchema = (): Refusal => new Refusal(404, 40403, 'Schema not found');

export function refuse(reply: FastifyReply, { status, code, message }: Problem): FastifyReply {
  return reply.status(status).send({ error_code: code, message });
}

/** Whatever a route threw, as what is answered: other errors are those of the store. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refusal) return error.problem;
  if (error instanceof z.ZodError) return { status: 422, code: 422, message: z.prettifyError(error) };
  if (error instanceof SyntaxError) return { status: 400, code: 400, message: 'The body is not JSON' };
  if (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode < 500
  ) {
    return { status: error.statusCode, code: error.statusCode, message: error.message };
  }
  const { code, verdict, message } = toLockstepError(error);
  const status = verdict === 'retry' ? 503 : 500;
  return {
    status,
    code: 50001,
    message: code === 'BUG' ? 'Error in the registry' : `Error in the backend data store: ${code} ${message}`,
  };
}
