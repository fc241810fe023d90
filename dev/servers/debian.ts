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
      await run([
        ...['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=300'],
        ...['install', '-y', '--no-install-recommends', ...packages],
      ] as const);
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
  await writeFile(join(apt, 'sources.list'), `deb [signed-by=${KEYRING}] ${await mirror()} ${suite} main\n`);
  const aptGet = ['apt-get', ...privateApt(apt)] as const;
  await run([...aptGet, 'update']);
  await run([...aptGet, '-y', '--no-install-recommends', '--download-only', 'install', name]);
  const archives = (await readdir(join(apt, 'archives'))).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) await run(['dpkg-deb', '-x', join(apt, 'archives', archive), directory]);
  await rm(apt, { recursive: true });
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
    'Debug::NoLocking': 'true',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The archive that apt takes this machine's own packages from. */
async function mirror(): Promise<string> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  const targets = await run([
    ...(['apt-get', 'indextargets', '--format', '$(ORIGIN) $(COMPONENT) $(RELEASE) $(REPO_URI)'] as const),
    'Created-By: Packages',
  ]);
  const archives = targets
    .split('\n')
    .map((line) => /^(.*) main (\S+) (\S+)$/.exec(line) ?? [])
    .filter(([, , release]) => release === codename || /^(old)*stable$|^testing$|^unstable$|^sid$/.test(release ?? ''));
  const uri = (archives.find(([, origin]) => origin === 'Debian') ?? archives[0])?.[3];
  if (uri === undefined) throw new Error('apt names no Debian archive in its sources');
  return uri;
}
