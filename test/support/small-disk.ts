import { chown, mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, systemUser } from '../../dev/servers/process.ts';
import { afterOurEnd } from '../../dev/servers/reaper.ts';

/** A file system in memory that a server of this machine can fill: there is no room but its own. Linux, as root. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #unwatch: () => void;

  private constructor(path: string) {
    this.path = path;
    this.#unwatch = afterOurEnd('umount -l "$1"; rmdir "$1"', path);
  }

  /** For the system's user `owner`. Throws where the system does not let us mount anything. */
  static async mount(megabytes: number, owner: string): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'lockstep-disk-'));
    try {
      await run(['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'lockstep', path]);
    } catch (error) {
      await rmdir(path);
      throw new Error('this test mounts a small file system: run it as root, in a container with CAP_SYS_ADMIN', {
        cause: error,
      });
    }
    const user = await systemUser(owner);
    if (user !== null) await chown(path, user.uid, user.gid);
    return new SmallDisk(path);
  }

  async resize(megabytes: number): Promise<void> {
    await run(['mount', '-o', `remount,size=${megabytes}m`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(['umount', '-l', this.path]);
    await rmdir(this.path);
    this.#unwatch();
  }
}
