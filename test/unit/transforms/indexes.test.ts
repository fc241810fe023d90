import { expect, test } from 'vitest';
import type { SecondaryIndex } from '../../../core/secondary-index.ts';
import { Transforms } from '../../../core/transform.ts';
import { column, int, table, text } from '../../contract/changes.ts';
import { opened } from './support.ts';

const people = table('people', [column('id', int), column('note', text), column('email', text)], ['id']);
const byEmail: SecondaryIndex = {
  name: 'by_email',
  kind: 'ordered',
  parts: [{ column: 2, length: null, descending: false }],
};
const byStart: SecondaryIndex = { ...byEmail, name: 'by_start', parts: [{ column: 2, length: 8, descending: true }] };

/** What becomes of the two indexes: name and column, or why it is lost. */
async function carried(...items: readonly unknown[]): Promise<readonly string[] | null> {
  const found = new Transforms(await opened(...items)).indexes({ table: people, indexes: [byEmail, byStart] });
  if (found === null) return null;
  const { table: to, indexes, lost } = found;
  const kept = indexes.map(({ name, parts }) => {
    const names = parts.map((part) => to.columns[part.column ?? -1]?.name ?? '');
    return `${name} ${names.join()}`;
  });
  return [...kept, ...lost.map(({ name, reason }) => `${name} lost: ${reason}`)];
}

const hash = { mask: { columns: ['people.email'], with: 'hash', key: 'sixteen characters' } };
const lost = 'a transform leaves one of its columns out, or makes it anew';

test.each([
  [
    'another name and place',
    [{ rename: { case: 'upper' } }, { exclude: { columns: ['*.NOTE'] } }],
    ['by_email EMAIL', 'by_start EMAIL'],
  ],
  ['a hash', [hash], ['by_email email', 'by_start email']],
  [
    'the same text for all',
    [{ mask: { columns: ['people.email'], with: 'redact' } }],
    [`by_email lost: ${lost}`, `by_start lost: ${lost}`],
  ],
  ['nothing', [{ exclude: { columns: ['people.email'] } }], [`by_email lost: ${lost}`, `by_start lost: ${lost}`]],
  ['no table', [{ exclude: { tables: ['*.people'] } }], null],
])('an index follows its column to %s', async (_, items, expected) => {
  expect(await carried(...items)).toEqual(expected);
});
