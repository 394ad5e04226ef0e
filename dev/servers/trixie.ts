import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { lastLines } from "./last-lines.ts";

/** The packages in the servers' folder of Debian trixie: PostgreSQL 17 with TimescaleDB and pgbouncer, etcd 3.5, NATS. */
const serverPackages = ["postgresql-17-timescaledb", "etcd-server", "etcd-client", "nats-server", "pgbouncer"];

/** The PATH for system programs: the PATH of this process may lack their folders. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A prefix that makes a command end with its parent process. The command's children end with the command, and its mounts
 *  are visible only in its own namespace. Each program of the prefix replaces itself with the next one, so that only
 *  `unshare` remains as a process.
 *  @param before the programs before `unshare` */
export const inNamespaces = (...before: readonly string[]): string[] => [
  ...["setpriv", "--pdeathsig", "KILL", ...before],
  ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"],
];

/** A folder that outlives a run and is shared by all checkouts. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME, HOME } = process.env;
  const caches = XDG_CACHE_HOME || (HOME ? join(homedir(), ".cache") : "/var/cache");
  const folder = join(caches, "gpu-telemetry-pipeline");
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** @returns why a folder of Debian trixie cannot be built or used here; undefined if no reason is known */
export function reasonAgainstTrixie(): string | undefined {
  const isDebian = existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));
  if (!isDebian) return "this is not Debian";
  if (userInfo().uid !== 0) return "the user is not root";
  const tools = ["unshare", "setpriv", "setsid", "flock", "mount", "chroot"];
  const missing = tools.filter((tool) => Bun.which(tool, { PATH: systemPath }) === null);
  if (missing.length > 0)
    return `this machine lacks ${missing.join(", ")} (apt-get install util-linux mount coreutils)`;
  const { success, stderr } = Bun.spawnSync([...inNamespaces(), "true"], { env: { PATH: systemPath } });
  return success ? undefined : `namespaces cannot be created (${stderr.toString().trim()})`;
}

/** The path of a folder of Debian trixie with these packages; by default, the servers. A call builds the folder if it does not exist. A process that calls
 *  this function during the build waits for the builder. If the builder is killed, its lock is released.
 *  @throws Error that names the missing requirement, or has the last lines of the build's log */
export async function trixieFolder(packages: readonly string[] = serverPackages): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256").update(packages.join(",")).digest("hex").slice(0, 12);
  const target = join(cacheFolder(), `trixie-${hash}`);
  const reason = reasonAgainstTrixie();
  if (reason !== undefined) {
    throw new Error(
      `Starting a browser, or an etcd or PostgreSQL that can be killed, frozen or configured, needs root on Debian, but ${reason}`,
    );
  }
  if (!existsSync(target)) await build(target, packages);
  return target;
}

async function build(target: string, packages: readonly string[]): Promise<void> {
  const log = openSync(`${target}.log`, "a");
  const script = join(import.meta.dir, "build-trixie.sh");
  // the builder's processes hold the lock as an open file: the lock is released when the last of them ends
  const command = [...inNamespaces("flock", "--no-fork", `${target}.lock`), "--mount-proc", "sh", script];
  const builder = Bun.spawn([...command, target, packages.join(",")], {
    env: { ...process.env, PATH: systemPath },
    // descriptor 3 is for progress that a person should see
    stdio: ["ignore", log, log, 2],
  });
  closeSync(log);
  if ((await builder.exited) !== 0) throw new Error(`Building ${target} failed:\n${lastLines(`${target}.log`)}`);
}
