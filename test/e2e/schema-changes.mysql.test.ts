import { registerSchemaChanges } from './schema-changes.ts';

registerSchemaChanges('mysql', 'direct');
registerSchemaChanges('mariadb', 'direct');
