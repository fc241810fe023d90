// Runs before the npm scripts, under whatever Node the machine has: installs the packages (Node 24 is one of them) where they are missing or old.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

const installed = 'node_modules/.package-lock.json';
const current = existsSync(installed) && statSync(installed).mtimeMs >= statSync('package-lock.json').mtimeMs;
if (!current) {
  console.error('installing the npm packages of this checkout (npm ci) …');
  const started = Date.now();
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
  console.error(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
}
