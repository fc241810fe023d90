import { registerSchemaChanges } from './schema-changes.ts';

registerSchemaChanges('mysql', 'kafka');
registerSchemaChanges('mariadb', 'kafka');
