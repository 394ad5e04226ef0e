import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemPath } from "./trixie.ts";

/** A filesystem that can be filled up. */
export interface SmallDisk {
  /** Where this process finds it, as long as it is mounted. */
  readonly path: string;
  /** Takes all the space that is left; again takes what has become free since. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
}

/** Filesystems in a mount namespace of their own: the machine does not see them. */
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

/** Mounts disks in memory at the paths. They are held by a process that ends with this one, whatever ends that, and then
 *  are gone with what they hold.
 *  @throws Error where this machine does not let us */
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
    // as the servers: not for an interrupt at the terminal
    detached: true,
  });
  const { value } = await holder.stdout.getReader().read();
  if (value === undefined) throw new Error(`No disk could be mounted: ${(await holder.stderr.text()).trim()}`);
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

/** First in large steps, then in those of the filesystem. */
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
