import { join } from 'node:path';
import { installPackages } from './debian.ts';
import { announced, cached } from './install.ts';
import { findProgram, run, succeeds } from './process.ts';

const VERSION = '2.16.0';
const PACKAGE = `confluent-kafka[avro]==${VERSION}`;

/**
 * A Python that can `import confluent_kafka` with its Avro deserializers: a client that has nothing in common with us. The one that
 * LOCKSTEP_TEST_PYTHON names, else a virtual environment in the cache, made once. Throws with what to install where it cannot be made.
 */
export async function python(): Promise<string> {
  const named = process.env['LOCKSTEP_TEST_PYTHON'];
  if (named !== undefined && named !== '') return named;
  const base = await interpreter();
  // A virtual environment ends with the interpreter it was made of.
  const version = (await run([base, '-c', 'import sys; print(".".join(map(str, sys.version_info[:3])))'])).trim();
  const directory = await cached(`python-${version}-confluent-kafka-${VERSION}`, (directory) =>
    announced(`confluent-kafka ${VERSION} for Python`, 10, async () => {
      await run([base, '-m', 'venv', directory]);
      await run([join(directory, 'bin', 'python'), '-m', 'pip', 'install', '--quiet', PACKAGE]);
    }),
  );
  return join(directory, 'bin', 'python');
}

/** Debian's Python comes without what makes virtual environments. */
async function interpreter(): Promise<string> {
  const found = await complete();
  if (found !== null) return found;
  await installPackages(['python3-venv'], 'python3-venv', `there is no python3 with venv and pip. ${REMEDY}`);
  const installed = await complete();
  if (installed === null) throw new Error(`python3-venv was installed and brought no python3 with venv. ${REMEDY}`);
  return installed;
}

const REMEDY = `Set LOCKSTEP_TEST_PYTHON to one that has ${PACKAGE}, or apt-get install python3-venv, or the like`;

async function complete(): Promise<string | null> {
  const file = await findProgram(['python3']);
  return file !== null && (await succeeds([file, '-c', 'import ensurepip, venv'])) ? file : null;
}
