import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClusterOptions } from './cluster.ts';

/** What we use of kafkajs: connections, TLS, SASL, framing, API versions. */
export interface KafkajsCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findBroker(of: { nodeId: number }): Promise<KafkajsBroker>;
  getNodeIds(): readonly string[];
}
export interface KafkajsBroker {
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>;
  readonly connectionPool: { readonly pool: readonly [KafkajsConnection, KafkajsConnection] };
}
export interface KafkajsConnection {
  readonly clientId: string;
  readonly socket: Socket;
  readonly requestQueue: { push(request: KafkajsRequest): void };
  isConnected(): boolean;
  failIfNotConnected(): void;
  connect(): Promise<unknown>;
  /** Does nothing where the login still holds, or there is none. */
  authenticate(): Promise<void>;
  nextCorrelationId(): number;
}
export interface KafkajsRequest {
  readonly entry: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly correlationId: number;
    readonly resolve: (answer: { readonly payload: Buffer }) => void;
    readonly reject: (error: unknown) => void;
  };
  readonly expectResponse: boolean;
  /** In ms; the connection's own limit holds where it is longer. */
  readonly requestTimeout: number;
  readonly sendRequest: () => void;
}

const CONNECT_MS = 5000;
const REQUEST_MS = 30_000;

/** kafkajs's own cluster, its retries cut short and its log silent; `sockets` gets every connection while it is open. */
export function kafkajsCluster(options: ClusterOptions, sockets: Set<Socket>): KafkajsCluster {
  const load = createRequire(import.meta.url);
  const KafkajsCluster = load('kafkajs/src/cluster') as new (options: object) => KafkajsCluster;
  const { createLogger } = load('kafkajs/src/loggers') as { createLogger: (options: object) => object };
  return new KafkajsCluster({
    logger: createLogger({ level: 0, logCreator: () => () => undefined }),
    socketFactory: socketFactory(sockets),
    brokers: [...options.brokers],
    clientId: options.clientId,
    ssl: options.tls === true ? {} : null,
    sasl: options.sasl ?? null,
    connectionTimeout: CONNECT_MS,
    authenticationTimeout: CONNECT_MS,
    requestTimeout: REQUEST_MS,
    enforceRequestTimeout: true,
    metadataMaxAge: 300_000,
    allowAutoTopicCreation: false,
    retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 200 },
  });
}

interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null;
  readonly onConnect: () => void;
}

/** Keeps the sockets at hand, so that a client can be closed though a broker no longer answers. */
function socketFactory(sockets: Set<Socket>): (request: SocketRequest) => Socket {
  return ({ host, port, ssl, onConnect }) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket =
      ssl === null ? connectTcp({ host, port }, onConnect) : connectTls({ host, port, ...name, ...ssl }, onConnect);
    socket.setKeepAlive(true, 60_000).setNoDelay(true);
    // kafkajs lets go of a broken socket again at every further failure, and leaves a listener on it each time.
    socket.setMaxListeners(0);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
}
