import { registerLogTests } from './log-events.ts';

registerLogTests('MariaDB', 'mariadb', ['--binlog-annotate-row-events=ON']);
