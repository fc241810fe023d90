import { expect, it } from 'vitest';
import { LockstepError } from '../../../../core/errors.ts';
import { isPassing, kafkaError, KafkaProtocolError } from '../../../../codec/kafka/errors.ts';

it.each([
  [29, 'KAFKA_AUTH'],
  [30, 'KAFKA_AUTH'],
  [53, 'KAFKA_AUTH'],
  [58, 'KAFKA_AUTH'],
  [47, 'KAFKA_FENCED'],
  [90, 'KAFKA_FENCED'],
  [10, 'KAFKA_MESSAGE'],
  [17, 'KAFKA_TOPIC'],
  [38, 'KAFKA_TOPIC'],
  [-1, 'KAFKA_CONNECTION_LOST'],
  [6, 'KAFKA_CONNECTION_LOST'],
  [16, 'KAFKA_CONNECTION_LOST'],
])('translates broker error %i to %s', (number, code) => {
  const error = kafkaError(new KafkaProtocolError(number), 'cannot publish');
  expect(error).toMatchObject({
    code,
    message: expect.stringMatching(/^cannot publish: [A-Z_]+$/),
    fix: expect.stringMatching(/./),
  });
});

it('finds the reason behind what kafkajs wraps around it', () => {
  const refused = Object.assign(new Error('Connection error'), {
    name: 'KafkaJSConnectionError',
    code: 'ECONNREFUSED',
  });
  const wrapped = Object.assign(new Error('x', { cause: refused }), { name: 'KafkaJSNumberOfRetriesExceeded' });
  expect(kafkaError(wrapped, 'cannot reach Kafka')).toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  expect(isPassing(wrapped)).toBe(true);
});

it('leaves alone what is not from Kafka', () => {
  const ours = new LockstepError('BUG', 'ours');
  const other = new TypeError('other');
  expect(kafkaError(ours, 'x')).toBe(ours);
  expect(kafkaError(other, 'x')).toBe(other);
  expect(isPassing(other)).toBe(false);
});
