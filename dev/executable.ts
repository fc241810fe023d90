import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The product as its users start it: the file itself, whose first line says with which flags Node runs it. */
export const EXECUTABLE = fileURLToPath(new URL('../app/main.js', import.meta.url));

/** This process's environment, in which `node` is the Node that runs this process. */
export function productEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}` };
}
