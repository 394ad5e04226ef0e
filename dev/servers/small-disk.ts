import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemPath } from "./trixie.ts";

/** A filesystem that can be filled up. */
export interface SmallDisk {
  /** The disk's path for this process, while the disk is mounted. */
  readonly path: string;
  /** Fills the free space. A later call fills the space that has become free since. */
  fill(): void;
  /** Deletes what `fill` has written. */
  free(): void;
}

/** Filesystems in their own mount namespace, so that they do not appear among the mounts of the machine. */
export interface SmallDisks {
  readonly mounted: readonly SmallDisk[];
  /** The file of the mount namespace, for `nsenter --mount`. */
  readonly mounts: string;
  readonly unmount: () => Promise<void>;
}

const mountAll = `
  set -eu
  owner=$1
  shift
  while [ $# -gt 0 ]; do
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2,uid=$owner,gid=$owner,mode=0700" tmpfs "$1"
    shift 2
  done
  echo mounted
  exec sleep infinity`;

/** Mounts disks in memory at the given paths. A helper process keeps them mounted. When this process ends, even by kill -9, the
 *  helper ends too, and the content of the disks is lost.
 *  @throws Error if a disk cannot be mounted, for example because this machine does not allow it */
export async function mountSmallDisks(
  disks: readonly { readonly path: string; readonly bytes: number }[],
  ownerId: number,
): Promise<SmallDisks> {
  const inOwnNamespace = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"];
  const pathsAndSizes = disks.flatMap(({ path, bytes }) => [path, String(bytes)]);
  const holder = Bun.spawn([...inOwnNamespace, "sh", "-c", mountAll, "sh", String(ownerId), ...pathsAndSizes], {
    cwd: "/",
    env: { PATH: systemPath },
    stdio: ["ignore", "pipe", "pipe"],
    // so that an interrupt at the terminal does not reach the helper
    detached: true,
  });
  const { value } = await holder.stdout.getReader().read();
  if (value === undefined) throw new Error(`mounting a disk in memory failed: ${(await holder.stderr.text()).trim()}`);
  const inside = `/proc/${holder.pid}`;
  return {
    mounted: disks.map(({ path }) => diskAt(join(inside, "root", path))),
    mounts: join(inside, "ns/mnt"),
    unmount: async () => {
      holder.kill("SIGKILL");
      await holder.exited;
    },
  };
}

function diskAt(path: string): SmallDisk {
  const ballast = join(path, "ballast");
  return {
    path,
    fill: () => fillUp(ballast),
    free: () => rmSync(ballast, { force: true }),
  };
}

/** Fills the disk, first in large steps, then in pages. */
function fillUp(file: string): void {
  const descriptor = openSync(file, "a");
  try {
    for (const bytes of [1024 * 1024, 4096]) while (tryToWrite(descriptor, Buffer.alloc(bytes)));
  } finally {
    closeSync(descriptor);
  }
}

function tryToWrite(descriptor: number, bytes: Uint8Array): boolean {
  try {
    return writeSync(descriptor, bytes) > 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOSPC") return false;
    throw error;
  }
}
