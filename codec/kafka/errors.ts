import { createRequire } from 'node:module';
import { LockstepError, type Code } from '../../core/errors.ts';
import { isTlsFailure, trustFix } from '../../core/tls.ts';

/** A broker's answer that says no. Numbers and names: https://kafka.apache.org/protocol#protocol_error_codes */
export class KafkaProtocolError extends Error {
  override readonly name = 'KafkaProtocolError';
  readonly type: string;
  /** The topic it is about, where it is about one. */
  readonly topic: string | null;

  constructor(code: number, topic: string | null = null) {
    const type = protocolErrors.get(code) ?? `error ${code}`;
    super(type);
    this.type = type;
    this.topic = topic;
  }
}

/** Those that kafkajs 2.2.4 does not list. */
const newer: readonly (readonly [number, string])[] = [
  [89, 'THROTTLING_QUOTA_EXCEEDED'],
  [90, 'PRODUCER_FENCED'],
  [100, 'UNKNOWN_TOPIC_ID'],
  [120, 'TRANSACTION_ABORTABLE'],
];
const protocolErrors = new Map<number, string>([...kafkajsErrors(), ...newer]);

function kafkajsErrors(): (readonly [number, string])[] {
  const load = createRequire(import.meta.url);
  const { errorCodes } = load('kafkajs/src/protocol/error') as {
    readonly errorCodes: readonly { readonly code: number; readonly type: string }[];
  };
  return errorCodes.map(({ code, type }) => [code, type]);
}

/** Throws what the broker's error code says; 0 is no error. */
export function throwIfError(code: number): void {
  if (code !== 0) throw new KafkaProtocolError(code);
}

/** The broker's own name for what went wrong (`TOPIC_AUTHORIZATION_FAILED`), or the system's (`ECONNREFUSED`), else null. */
export function errorType(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  if ('type' in error && typeof error.type === 'string') return error.type;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('cause' in error && error.cause !== undefined && error.cause !== error) return errorType(error.cause);
  return 'name' in error && typeof error.name === 'string' ? error.name : null;
}

const byType: ReadonlyMap<string, readonly [Code, string]> = new Map([
  ...each(
    ['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'TRANSACTION_COORDINATOR_FENCED', 'INVALID_PRODUCER_ID_MAPPING'],
    'KAFKA_FENCED',
    'another process publishes this pipeline; stop one of the two, then start this one again',
  ),
  ...each(
    [
      'TOPIC_AUTHORIZATION_FAILED',
      'GROUP_AUTHORIZATION_FAILED',
      'CLUSTER_AUTHORIZATION_FAILED',
      'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    ],
    'KAFKA_AUTH',
    'allow it with kafka-acls.sh: the publisher needs Create, Write and Describe on its topics and on its transactional ids, a consumer Read on its topics and its group',
  ),
  ...each(
    [
      'SASL_AUTHENTICATION_FAILED',
      'UNSUPPORTED_SASL_MECHANISM',
      'ILLEGAL_SASL_STATE',
      'KafkaJSSASLAuthenticationError',
    ],
    'KAFKA_AUTH',
    'check user, password and SASL mechanism against the broker',
  ),
  ...each(
    [
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_PARTITIONS',
      'INVALID_REPLICATION_FACTOR',
      'INVALID_CONFIG',
      'POLICY_VIOLATION',
      'TOPIC_ALREADY_EXISTS',
    ],
    'KAFKA_TOPIC',
    'change the setting, or create the topic by hand and start again',
  ),
  ...each(
    ['INVALID_TRANSACTION_TIMEOUT'],
    'KAFKA_TOPIC',
    'raise transaction.max.timeout.ms of the brokers to its default of 900000',
  ),
  ...each(
    ['UNSUPPORTED_VERSION', 'KafkaJSServerDoesNotSupportApiKey'],
    'KAFKA_TOPIC',
    'use brokers of Kafka 3.0 or newer',
  ),
  ...each(
    ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'],
    'KAFKA_MESSAGE',
    'raise max.message.bytes of the topic (kafka-configs.sh --alter), or leave the column out with an exclude transform',
  ),
  // A broker's own failure. Of EndTxn it is what a producer hears that is fenced in the very moment in which it commits.
  ...each(['UNKNOWN'], 'KAFKA_CONNECTION_LOST', 'it is tried again; if it stays, look into the logs of the brokers'),
  ...each(
    [
      'ECONNREFUSED',
      'ENOTFOUND',
      'EAI_AGAIN',
      'EHOSTUNREACH',
      'ENETUNREACH',
      'ETIMEDOUT',
      'KafkaJSNoBrokerAvailableError',
    ],
    'KAFKA_UNREACHABLE',
    'check that the brokers run and that their advertised.listeners can be reached from here',
  ),
]);

function each(types: readonly string[], code: Code, fix: string): [string, readonly [Code, string]][] {
  return types.map((type) => [type, [code, fix]]);
}

/** Broker answers and client errors that pass: a leader or coordinator moves, a connection breaks, replicas are missing. */
const passing: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REQUEST_TIMED_OUT',
  'BROKER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'NETWORK_EXCEPTION',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_CONTROLLER',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'CONCURRENT_TRANSACTIONS',
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
  'UNSTABLE_OFFSET_COMMIT',
  'THROTTLING_QUOTA_EXCEEDED',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
  'ECONNRESET',
  'EPIPE',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
]);

/** Whether trying again, perhaps at another broker, can help. */
export function isPassing(error: unknown): boolean {
  const type = errorType(error);
  return type !== null && (passing.has(type) || byType.get(type)?.[0] === 'KAFKA_UNREACHABLE');
}

/**
 * A broker's or kafkajs's error as one of ours, by its type alone: KAFKA_UNREACHABLE, KAFKA_CONNECTION_LOST, KAFKA_FENCED, KAFKA_AUTH,
 * KAFKA_TOPIC, KAFKA_MESSAGE. What is none of these comes back unchanged. `doing` says what failed: `cannot publish to shop.a.b`.
 */
export function kafkaError(error: unknown, doing: string): unknown {
  if (error instanceof LockstepError) return error;
  const type = errorType(error);
  if (type === null) return error;
  const known: readonly [Code, string] | undefined = isTlsFailure(type) ? ['KAFKA_AUTH', trustFix] : byType.get(type);
  if (known !== undefined) return new LockstepError(known[0], `${doing}: ${type}`, { fix: known[1], cause: error });
  if (!passing.has(type)) return error;
  const fix = 'it is tried again; if it stays, look at the brokers: are all of them up and in sync?';
  return new LockstepError('KAFKA_CONNECTION_LOST', `${doing}: ${type}`, { fix, cause: error });
}
