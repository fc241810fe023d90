import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { announced, withLock } from './install.ts';
import { findProgram, isRoot, run } from './process.ts';

/** True where Debian's package manager and Debian's packages are to be had. */
export async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID="?debian"?$/m.test(release) && (await findProgram(['apt-get'])) !== null;
}

/** Installs packages into the system, as root on Debian. Throws with `advice` where that is impossible. */
export async function installPackages(packages: readonly string[], title: string, advice: string): Promise<void> {
  if (!isRoot() || !(await isDebian())) throw new Error(advice);
  await withLock('apt', () =>
    announced(title, 15, async () => {
      await run(['apt-get', 'update']).catch(() => ''); // the lists we have may do; the installation will tell
      const install = ['apt-get', '-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '--no-install-recommends'];
      await run(['env', 'DEBIAN_FRONTEND=noninteractive', ...install, ...packages]);
    }),
  );
}

/**
 * Unpacks a package of another Debian release, with everything it depends on down to the C library, into `directory`.
 * The system stays as it is and root is not needed. Mirror, proxies and credentials are those apt is configured with.
 */
export async function unpackPackage(name: string, suite: string, directory: string): Promise<void> {
  const apt = join(directory, 'apt');
  await mkdir(join(apt, 'lists', 'partial'), { recursive: true });
  await mkdir(join(apt, 'archives', 'partial'), { recursive: true });
  await writeFile(join(apt, 'status'), '');
  const aptGet = ['apt-get', ...privateApt(apt)] as const;
  await chooseArchive(aptGet, join(apt, 'sources.list'), suite);
  await run([...aptGet, '-y', '--no-install-recommends', '--download-only', 'install', name]);
  const archives = (await readdir(join(apt, 'archives'))).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) await run(['dpkg-deb', '-x', join(apt, 'archives', archive), directory]);
  await rm(apt, { recursive: true });
}

/** Unpacks one package of this Debian release, nothing it depends on, into `directory`. The system stays as it is. */
export async function unpackFiles(name: string, directory: string): Promise<void> {
  await run(['apt-get', 'update']).catch(() => ''); // the lists we have may do; the download will tell
  await run(['apt-get', 'download', name], { cwd: directory });
  for (const archive of (await readdir(directory)).filter((file) => file.endsWith('.deb'))) {
    await run(['dpkg-deb', '-x', join(directory, archive), directory]);
    await rm(join(directory, archive));
  }
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Settings that make apt work in a directory of ours, as if no package were installed. */
function privateApt(directory: string): string[] {
  const settings = {
    'Dir::Etc::SourceList': join(directory, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::Lists': join(directory, 'lists'),
    'Dir::State::Status': join(directory, 'status'),
    'Dir::State::extended_states': join(directory, 'extended_states'),
    'Dir::Cache': directory,
    'Dir::Cache::Archives': join(directory, 'archives'),
    'Dir::Log': directory,
    'APT::Sandbox::User': '', // the directory is ours alone, so apt's own user could not write there
    'APT::Update::Post-Invoke': '',
    'APT::Update::Error-Mode': 'any',
    'Debug::NoLocking': 'true',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Points apt at the first of the machine's own archives that has the suite, signed by Debian. */
async function chooseArchive(aptGet: readonly [string, ...string[]], sources: string, suite: string): Promise<void> {
  let failure: unknown = new Error('apt names no Debian archive in its sources');
  for (const archive of await configuredArchives()) {
    await writeFile(sources, `deb [signed-by=${KEYRING}] ${archive} ${suite} main\n`);
    try {
      await run([...aptGet, 'update']);
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Where apt would take a release from, credentials included; not its updates (bookworm-updates) or security. */
async function configuredArchives(): Promise<Set<string>> {
  const files = await run(['apt-get', '-o', 'Debug::NoLocking=true', 'update', '--print-uris']);
  return new Set(Array.from(files.matchAll(/^'(\S+)\/dists\/[a-z]+\/InRelease'/gm), ([, archive = '']) => archive));
}

/** A program's path, from PATH or these directories; its package is installed where it is in none and that can be done. */
export async function program(
  name: string,
  debianPackage: string,
  directories: readonly string[] = [],
): Promise<string> {
  const found = await findProgram([name], directories);
  if (found !== null) return found;
  await installPackages(
    [debianPackage],
    debianPackage,
    `there is no ${name}: apt-get install ${debianPackage}, or the like`,
  );
  const installed = await findProgram([name]);
  if (installed === null) throw new Error(`${debianPackage} was installed and brought no ${name}`);
  return installed;
}
