import { registerLogTests } from './log-events.ts';

const rowsQueries = '--binlog-rows-query-log-events=ON';

registerLogTests('MySQL', 'mysql', [rowsQueries]);
registerLogTests('MySQL without GTIDs', 'mysql', ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF', rowsQueries]);
