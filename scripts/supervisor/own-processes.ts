import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { nameMaxLength } from "../../src/kit/process-name.ts";
import { isManagedRole } from "./managed-role.ts";
import { identify, isRunning, type ProcessIdentity } from "./process-identity.ts";

/** A process that a supervisor of this folder started. */
export interface OwnProcess extends ProcessIdentity {
  /** Such as collector-2. */
  readonly name: string;
  /** The time in which it ends by itself; undefined if its environment does not say it. */
  readonly shutdownSeconds: number | undefined;
}

/** The processes that a supervisor with this socket started, as their environment and their name prove. A pid file proves nothing.
 *  Source: https://man7.org/linux/man-pages/man5/proc_pid_environ.5.html
 *  @returns undefined if the system does not tell, which only Linux does; without processes of other users */
export function ownProcesses(socket: string): readonly OwnProcess[] | undefined {
  if (process.platform !== "linux") return undefined;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => ownProcess(Number(pid), socket) ?? []);
}

function ownProcess(pid: number, socket: string): OwnProcess | undefined {
  try {
    const identity = identify(pid);
    const env = environmentOf(pid);
    if (identity === undefined || env.get("SUPERVISOR_SOCKET") !== socket) return undefined;
    const name = env.get("INSTANCE_NAME") ?? "";
    const role = name.replace(/-\d+$/, "");
    const isNamed = isManagedRole(role) && read(pid, "comm").trim() === `nexus-${role}`.slice(0, nameMaxLength);
    // all that was read is of this very process only if it still runs
    if (!isNamed || !hasSameFiles(pid) || !isRunning(identity)) return undefined;
    const seconds = Number(env.get("SHUTDOWN_TIMEOUT_SECONDS"));
    return { ...identity, name, shutdownSeconds: seconds > 0 ? seconds : undefined };
  } catch {
    // it has ended, or is of another user
    return undefined;
  }
}

/** False for a process in a container, where the same path is another file. */
const hasSameFiles = (pid: number): boolean =>
  readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync("/proc/self/ns/mnt");

function environmentOf(pid: number): ReadonlyMap<string, string> {
  const entries = read(pid, "environ").split("\0");
  return new Map(
    entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)] as const),
  );
}

const read = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, "utf8");
