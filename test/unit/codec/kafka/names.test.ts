import { expect, it } from 'vitest';
import { tableTopic } from '../../../../codec/kafka/names.ts';

it('names a topic after pipeline, database and table', () => {
  expect(tableTopic('shop', { database: 'db', name: 'order_lines-2' })).toBe('shop.db.order_lines-2');
});

it('keeps tables apart whose names no topic may have', () => {
  const names = ['a b', 'a_b', 'a?b', 'á', 'é', 'x'.repeat(300), `${'x'.repeat(300)}y`];
  const topics = names.map((name) => tableTopic('shop', { database: 'db', name }));
  expect(new Set(topics).size).toBe(names.length);
  for (const topic of topics) expect(topic).toMatch(/^[a-zA-Z0-9._-]{1,249}$/);
});
