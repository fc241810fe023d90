import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

const FILE = join(import.meta.dirname, '../../docs/type-parity.md');

/** In the order of the page. */
const SECTIONS = {
  head: '# Type parity',
  exceptions: '## What does not arrive as it is',
  mysql: '## MySQL 9.7',
  mariadb: '## MariaDB 10.11',
} as const;

/** Set by `npm run parity`, which writes the page anew. */
const writes = process.env['LOCKSTEP_PARITY_WRITE'] === '1';

/** Fails where the published section is not this one; writes it where it is asked to. */
export function checkSection(name: keyof typeof SECTIONS, lines: readonly string[]): void {
  const head = SECTIONS[name];
  const section = `${[head, '', ...lines].join('\n').trimEnd()}\n`;
  const sections = read();
  if (writes) {
    sections.set(head, section);
    const ordered = Object.values(SECTIONS).map((each) => sections.get(each));
    writeFileSync(FILE, ordered.filter((each) => each !== undefined).join('\n'));
  }
  expect(sections.get(head), 'docs/type-parity.md is not current: npm run parity').toBe(section);
}

/** By heading. */
function read(): Map<string, string> {
  const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
  const parts = text.split(/\n(?=## )/).filter((part) => part !== '');
  return new Map(parts.map((part) => [part.split('\n', 1)[0] ?? '', `${part.trimEnd()}\n`]));
}
