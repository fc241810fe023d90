import { describe, expect, it } from 'vitest';
import { flavours } from '../support/mysql-run.ts';
import { seed } from '../support/seed.ts';
import { runCampaign } from './campaign.ts';
import { readLog } from './corpus.ts';
import { readWhole } from './fuzz.ts';

describe('a log that is not as it should be', () => {
  it.each(flavours)('is compared with one of %s that is', async (flavour) => {
    const { outcome, rows } = await readWhole(readLog(flavour));
    expect(outcome).toBe('read');
    expect(rows).toBeGreaterThan(15);
  });

  it('ends in an error of ours, and neither hangs nor fills the memory', async () => {
    const { done, outcomes, failure } = await runCampaign({ seed, cases: Infinity, seconds: 5 });
    expect(failure, 'npm run fuzz -- --cases 1 --seed …').toBeNull();
    expect(done).toBeGreaterThan(100);
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['read', 'SOURCE_EVENT_CORRUPT']));
  });
});
