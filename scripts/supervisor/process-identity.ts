import { readFileSync } from "node:fs";

/** A process that cannot be mistaken for a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in the words of the operating system. Only comparing it with another makes sense. */
  readonly startedAt: string;
}

/** @returns undefined if no process has this id, or if it has ended and only waits to be removed from the process table */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === "linux" ? linuxStart(pid) : start(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** True if this very process runs. */
export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  return identify(pid)?.startedAt === startedAt;
}

/** Sends the signal if this very process still runs; never to another process that has its id now. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    // it has ended since the check
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The boot and the clock tick since then. Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function linuxStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the second field is the process's name, which may contain spaces and brackets
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${startTicks}`;
  } catch {
    return undefined;
  }
}

function start(pid: number): string | undefined {
  const { stdout } = Bun.spawnSync(["ps", "-o", "stat=,lstart=", "-p", String(pid)]);
  const [state = "", ...words] = stdout.toString().trim().split(/\s+/);
  return state === "" || state.startsWith("Z") ? undefined : words.join(" ");
}
