import { MongoBulkWriteError } from 'mongodb';
import { expect, test } from 'vitest';
import { isUnknownCommit, ofCommit, targetError } from '../../../../sinks/mongodb/errors.ts';

const scene = { server: 'mongo1:27017', doing: 'writing shop.orders' };

function systemError(): Error {
  return Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'write' });
}

test('a connection that was cut while it was written to is lost, whether the driver says so itself or in a bulk write', () => {
  const inBulk = new MongoBulkWriteError(systemError(), {} as never);
  for (const error of [systemError(), inBulk]) {
    expect(targetError(error, scene)).toMatchObject({
      code: 'TARGET_CONNECTION_LOST',
      verdict: 'retry',
      message: 'writing shop.orders at mongo1:27017: the connection was lost (ECONNRESET)',
    });
  }
});

test('a commit under which the connection broke is one of unknown outcome, however the driver says it', () => {
  const byDriver = new TypeError('error.hasErrorLabel is not a function');
  for (const thrown of [systemError(), byDriver]) {
    const error = ofCommit(thrown);
    expect(isUnknownCommit(error)).toBe(true);
    expect(targetError(error, scene)).toMatchObject({ code: 'TARGET_CONNECTION_LOST', verdict: 'retry' });
  }
});
