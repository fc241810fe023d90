import type { SourcePlugin } from '../../core/plugin.ts';
import { checkSource } from './check.ts';
import { checkTakeover } from './check-takeover.ts';
import { consider } from './consider.ts';
import { describeEntries } from './describe.ts';
import { foresee } from './foresee.ts';
import { MysqlSource } from './source.ts';
import { parseRefused, refusedEntry } from './tables.ts';

/** MySQL and MariaDB as sources. */
export const mysql: SourcePlugin = {
  open: (options) => Promise.resolve(new MysqlSource(options)),
  check: checkSource,
  checkTakeover,
  describe: describeEntries,
  foresee,
  consider,
  refusal: (origin, entries) => {
    const token = entries.get(refusedEntry(origin));
    return token === undefined ? null : parseRefused(token).reason;
  },
};
