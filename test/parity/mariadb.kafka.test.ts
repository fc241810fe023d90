import { registerParity } from './suite.ts';

registerParity('mariadb');
