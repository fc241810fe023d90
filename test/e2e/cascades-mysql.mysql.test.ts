import { registerCascadeEndTests } from './cascades.ts';

registerCascadeEndTests('mysql', 'MySQL in its storage engine', ['--innodb-native-foreign-keys=ON']);
