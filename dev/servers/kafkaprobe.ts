import { connect } from 'node:net';
import type { Socket } from 'node:net';

const TIMEOUT_MS = 3000;
const METADATA = Buffer.from('0000000f 0003 0005 00000001 ffff 00000000 00'.replaceAll(' ', ''), 'hex');

/**
 * How many brokers the broker at host:port knows: none until it is registered with its controller itself. Throws while
 * nothing answers.
 *
 * Metadata of no topics: https://kafka.apache.org/protocol#The_Messages_Metadata
 *   request:  size int32, key int16, version int16, correlation int32, client id int16 (-1: none), topics int32, create bool
 *   response: size int32, correlation int32, throttle int32, brokers int32, ...
 */
export async function registeredBrokers(address: string): Promise<number> {
  const at = address.lastIndexOf(':');
  const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
  try {
    socket.write(METADATA);
    return (await firstBytes(socket, 16)).readInt32BE(12);
  } finally {
    socket.destroy();
  }
}

function firstBytes(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    socket.setTimeout(TIMEOUT_MS, () => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the broker closed the connection')));
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      if (received.length >= count) resolve(received);
    });
  });
}
