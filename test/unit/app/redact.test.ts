import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { describeUrl, passwordsOf, redact, scrub } from '../../../app/config/redact.ts';

test.each([
  ['mysql://root:secret@db1:3306', 'mysql://db1:3306'],
  ['postgres://app@pg1/shop?sslmode=require', 'postgres://pg1/shop?sslmode=require'],
  ['mongodb://u:p@a:1,b:2/shop?replicaSet=rs0', 'mongodb://a:1,b:2/shop?replicaSet=rs0'],
  ['postgres://pg1/shop?user=a&password=secret&x=1', 'postgres://pg1/shop?user=a&password=…&x=1'],
  ['http://registry:8081', 'http://registry:8081'],
  ['not a url', 'not a url'],
])('a URL is shown without what is secret: %s', (url, shown) => {
  expect(redact(url)).toBe(shown);
});

test('no password is shown, whatever its characters', () => {
  assert(
    property(string({ minLength: 1 }), (text) => {
      const password = `<${text}>`;
      expect(redact(`mysql://user:${password}@db1:3306/shop`)).not.toContain(password);
    }),
  );
});

test.each([
  ['mysql://root:secret@db1:3306', 'mysql db1:3306'],
  ['postgres://app@pg1:5432/shop?sslmode=require', 'postgres pg1:5432/shop'],
  ['mongodb+srv://u:p@cluster.example/', 'mongodb+srv cluster.example'],
])('an end is named in two words: %s', (url, words) => {
  expect(describeUrl(url)).toBe(words);
});

test('passwords are known as written and decoded', () => {
  expect(passwordsOf('mysql://root:p%40ss@db1')).toEqual(['p%40ss', 'p@ss']);
  expect(passwordsOf('mysql://root@db1')).toEqual([]);
});

test('a text of others loses the secrets in it', () => {
  expect(scrub('cannot use topsecret twice: topsecret', ['topsecret'])).toBe('cannot use … twice: …');
});
