import { mysqlHarness } from './mysql-harness.ts';
import { registerSourceTests } from './source.ts';

registerSourceTests(mysqlHarness('mysql'));
