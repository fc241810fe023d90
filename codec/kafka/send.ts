import type { KafkajsConnection } from './kafkajs.ts';
import { Writer, type Api } from './protocol.ts';

/** Size, API key, API version, correlation id, and the length of the client's name. */
const HEADER_BYTES = 2 + 2 + 4 + 2;

/**
 * Sends a request over a connection and gives the answer behind its header. kafkajs queues it, matches the answer and ends the wait; its own way to send
 * copies a request twice, which for record batches costs as much as making them.
 *   Request header v1 => size api_key api_version correlation_id client_id?
 */
export async function send(
  connection: KafkajsConnection,
  { key, version, name }: Api,
  request: Writer,
  timeoutMs: number,
): Promise<Buffer> {
  await connection.authenticate();
  const correlationId = connection.nextCorrelationId();
  const { parts } = request;
  const size = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES + Buffer.byteLength(connection.clientId));
  const head = new Writer().int32(size).int16(key).int16(version).int32(correlationId).string(connection.clientId);
  const sendRequest = (): void => {
    const { socket } = connection;
    socket.cork();
    for (const part of [...head.parts, ...parts]) socket.write(part);
    socket.uncork();
  };
  const { payload } = await new Promise<{ readonly payload: Buffer }>((resolve, reject) => {
    connection.failIfNotConnected();
    connection.requestQueue.push({
      entry: { apiKey: key, apiVersion: version, apiName: name, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: timeoutMs,
      sendRequest,
    });
  });
  return payload;
}
