import { registerCascadeEndTests } from './cascades.ts';

registerCascadeEndTests('mysql', 'MySQL that logs what they do', []);
