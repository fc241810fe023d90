import { makeBase } from '../drain.ts';
import { makeLargeTable } from '../large.ts';
import { directConfig, measure } from '../measure.ts';
import type { Stage } from '../stage.ts';
import { benchKills } from './kills.ts';
import { benchMemory } from './memory.ts';
import { backlogOf, BAG, BLOBS, LARGE, PINGS, TABLES } from './scene.ts';
import { benchStart } from './start.ts';

/** B6: how soon it works, what memory it takes, and what a crash costs. */
export async function benchFootprint(stage: Stage): Promise<void> {
  const { connection, options } = stage;
  await makeBase(stage, backlogOf(options.rows));
  await makeLargeTable(connection, LARGE);
  await connection.query(`CREATE TABLE ${PINGS} (id BIGINT NOT NULL PRIMARY KEY, note VARCHAR(100) NOT NULL)`);
  await connection.query(`CREATE TABLE ${BAG} (n INT NOT NULL, note VARCHAR(100) NOT NULL)`);
  await connection.query(`CREATE TABLE ${BLOBS} (id INT NOT NULL PRIMARY KEY, content LONGBLOB NOT NULL)`);
  // The copy is not what is measured.
  await measure({ config: directConfig(stage, TABLES), args: [], servers: [], firstVisible: null });
  await benchStart(stage);
  await benchMemory(stage);
  await benchKills(stage);
}
