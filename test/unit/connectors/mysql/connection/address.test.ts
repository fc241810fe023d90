import { expect, test } from 'vitest';
import { parseAddress } from '../../../../../connectors/mysql/connection/session.ts';

test.each([
  ['mysql://repl@db1', null],
  ['mysql://repl@db1?ssl=false', null],
  ['mysql://repl@10.0.0.1?ssl=true', { rejectUnauthorized: false, verifyIdentity: false }],
  ['mysql://repl@db1?ssl=verify', { rejectUnauthorized: true, verifyIdentity: true }],
])('%s asks for TLS as it says', (url, ssl) => {
  expect(parseAddress(url).ssl).toEqual(ssl);
});

test.each([
  ['mysql://repl@db1?ssl=verified', 'ssl=verified'],
  ['mysql://repl@db1?sslmode=require', 'the parameter sslmode'],
  ['mysql://repl@10.0.0.1?ssl=verify', 'at the address 10.0.0.1'],
  ['mysql://repl@[::1]?ssl=verify', 'at the address ::1'],
])('%s is refused, for it would be less safe than it looks', (url, what) => {
  expect(() => parseAddress(url)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(what) }),
  );
});
