import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemPath } from "./trixie.ts";

/** A filesystem that can be filled up. */
export interface SmallDisk {
  /** Its path for this process, while it is mounted. */
  readonly path: string;
  /** Takes all free space; a second call takes the space that became free since. */
  fill(): void;
  /** Frees the space that `fill` took. */
  free(): void;
}

/** Filesystems in a mount namespace of their own, which the rest of the machine does not see. */
export interface SmallDisks {
  readonly mounted: readonly SmallDisk[];
  /** The namespace, as a file for `nsenter --mount`. */
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

/** Mounts disks in memory at the paths. A helper process keeps them mounted. It ends with this process, even after kill -9;
 *  the content of the disks is then lost.
 *  @throws Error if this machine does not allow it */
export async function mountSmallDisks(
  disks: readonly { readonly path: string; readonly bytes: number }[],
  ownerId: number,
): Promise<SmallDisks> {
  const inOwnNamespace = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"];
  const words = disks.flatMap(({ path, bytes }) => [path, String(bytes)]);
  const holder = Bun.spawn([...inOwnNamespace, "sh", "-c", mountAll, "sh", String(ownerId), ...words], {
    cwd: "/",
    env: { PATH: systemPath },
    stdio: ["ignore", "pipe", "pipe"],
    // as for servers: an interrupt at the terminal must not reach the helper
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
    for (const bytes of [1024 * 1024, 4096]) while (hasWritten(descriptor, Buffer.alloc(bytes)));
  } finally {
    closeSync(descriptor);
  }
}

function hasWritten(descriptor: number, bytes: Uint8Array): boolean {
  try {
    return writeSync(descriptor, bytes) > 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOSPC") return false;
    throw error;
  }
}
