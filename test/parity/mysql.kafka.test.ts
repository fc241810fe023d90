import { registerParity } from './suite.ts';

registerParity('mysql');
