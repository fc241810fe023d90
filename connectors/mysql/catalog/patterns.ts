import { LockstepError } from '../../../core/errors.ts';

/** Databases of the servers themselves, and ours: captured only when named without a wildcard. */
const systemDatabases = new Set(['mysql', 'information_schema', 'performance_schema', 'sys', 'lockstep']);

/** True when a table is captured. */
export type TableFilter = (database: string, table: string) => boolean;

/**
 * Compiles `database.table` patterns: `*` stands for any characters, a leading `!` takes out, the last match decides.
 * Errors: CONFIG_INVALID for a pattern without exactly one dot.
 */
export function compilePatterns(patterns: readonly string[]): TableFilter {
  const rules = patterns.map((pattern) => {
    const takesOut = pattern.startsWith('!');
    const parts = (takesOut ? pattern.slice(1) : pattern).split('.');
    const [database, table] = parts;
    if (parts.length !== 2 || !database || !table) {
      throw new LockstepError('CONFIG_INVALID', `source.tables: "${pattern}" is not of the form database.table`, {
        fix: 'write e.g. shop.* or shop.orders, and !shop.audit_* to leave tables out',
      });
    }
    return { takesOut, database: wildcard(database), named: !database.includes('*'), table: wildcard(table) };
  });
  return (database, table) => {
    let captured = false;
    for (const rule of rules) {
      if (systemDatabases.has(database.toLowerCase()) && !rule.named) continue;
      if (rule.database.test(database) && rule.table.test(table)) captured = !rule.takesOut;
    }
    return captured;
  };
}

function wildcard(pattern: string): RegExp {
  return new RegExp(
    `^${pattern
      .split('*')
      .map((text) => RegExp.escape(text))
      .join('.*')}$`,
    's',
  );
}
