import { connect, type Socket } from 'node:net';
import { BSON, MongoClient } from 'mongodb';
import type { Limit } from '../throughput.ts';

const COLLECTION = 'limit_copy';
/** Two keep the server busy while one of them waits for its commit. */
const CONNECTIONS = 2;
const DOCUMENTS_PER_INSERT = 5000;
const OP_MSG = 2013;

/**
 * What MongoDB alone takes of the very documents that a collection holds: inserted unordered as they lie in memory, 5,000 at once on two
 * connections, acknowledged by the majority and its journal. The messages are made before the clock starts. Throws when not all arrive.
 */
export async function measureInsert(url: string, database: string, collection: string): Promise<Limit> {
  const client = await new MongoClient(url).connect();
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(Number(new URL(url).port), new URL(url).hostname));
  try {
    const copy = client.db(database).collection(COLLECTION);
    await copy.drop();
    const messages = await messagesOf(client, database, collection);
    await client.db(database).createCollection(COLLECTION);
    const started = performance.now();
    await Promise.all(sockets.map((socket) => sendAll(socket, messages)));
    const seconds = (performance.now() - started) / 1000;
    const [wanted, got] = await Promise.all(
      [collection, COLLECTION].map((name) => client.db(database).collection(name).countDocuments()),
    );
    if (wanted !== got) throw new Error(`raw inserts brought ${String(got)} of ${String(wanted)} documents`);
    await copy.drop();
    return { name: 'raw inserts', seconds };
  } finally {
    for (const socket of sockets) socket.destroy();
    await client.close();
  }
}

async function messagesOf(client: MongoClient, database: string, collection: string): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  let documents: Uint8Array[] = [];
  const cursor = client.db(database).collection<Uint8Array>(collection).find({}, { raw: true });
  for await (const document of cursor) {
    documents.push(document);
    if (documents.length < DOCUMENTS_PER_INSERT) continue;
    messages.push(messageOf(database, documents));
    documents = [];
  }
  if (documents.length > 0) messages.push(messageOf(database, documents));
  return messages;
}

/**
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg
 *   header: size int32, request int32, in answer to int32, code int32; flags uint32
 *   section 0: a document; section 1: size int32, name cstring, documents
 */
function messageOf(database: string, documents: readonly Uint8Array[]): Buffer {
  const writeConcern = { w: 'majority', j: true };
  const command = BSON.serialize({ insert: COLLECTION, ordered: false, writeConcern, $db: database });
  const name = Buffer.from('documents\0');
  const bytes = documents.reduce((sum, { length }) => sum + length, 0);
  const message = Buffer.alloc(16 + 4 + 1 + command.length + 1 + 4 + name.length + bytes);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(OP_MSG, 12);
  message.set(command, 21);
  let at = 21 + command.length;
  at = message.writeUInt8(1, at);
  at = message.writeInt32LE(4 + name.length + bytes, at);
  message.set(name, at);
  at += name.length;
  for (const document of documents) {
    message.set(document, at);
    at += document.length;
  }
  return message;
}

/** Takes messages off the list, one after the other, until none is left. */
async function sendAll(socket: Socket, messages: Buffer[]): Promise<void> {
  for (let message = messages.shift(); message !== undefined; message = messages.shift()) {
    socket.write(message);
    const { ok, writeErrors, ...rest } = await answerOf(socket);
    if (ok !== 1 || writeErrors !== undefined) throw new Error(`a raw insert failed: ${JSON.stringify(rest)}`);
  }
}

function answerOf(socket: Socket): Promise<BSON.Document> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const take = (piece: Buffer): void => {
      received = Buffer.concat([received, piece]);
      if (received.length < 4 || received.length < received.readInt32LE(0)) return;
      socket.off('data', take).off('error', reject);
      resolve(BSON.deserialize(received.subarray(21)));
    };
    socket.on('data', take).once('error', reject);
  });
}
