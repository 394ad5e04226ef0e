import { readdirSync, readFileSync } from "node:fs";

/** The resources that processes have used. */
export interface Usage {
  /** Processor time in seconds, including that of ended children for which their parents have waited. */
  readonly cpuSeconds: number;
  /** Peak resident memory in bytes, of the running process with the highest peak. */
  readonly peakRssBytes: number;
}

const ticksPerSecond = 100;

/** The usage of processes and of all their running descendants.
 *  Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function usageOf(pids: readonly number[]): Usage {
  const all = withChildren(pids);
  return {
    cpuSeconds: all.reduce((sum, pid) => sum + cpuTicksOf(pid), 0) / ticksPerSecond,
    peakRssBytes: Math.max(0, ...all.map(peakRssOf)),
  };
}

/** The memory of processes and of all their running descendants. What several share, such as PostgreSQL's buffers, counts once.
 *  Source: https://docs.kernel.org/filesystems/proc.html, smaps_rollup */
export function memoryBytes(pids: readonly number[]): number {
  const kibibytesOf = (pid: number): number =>
    Number(/^Pss:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return withChildren(pids).reduce((sum, pid) => sum + kibibytesOf(pid), 0) * 1024;
}

function withChildren(pids: readonly number[]): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number(statOf(pid)[1]);
    if (pid > 0 && parent > 0) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const all = [...pids];
  for (const pid of all) all.push(...(childrenOf.get(pid) ?? []));
  return all;
}

function cpuTicksOf(pid: number): number {
  const fields = statOf(pid);
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field] ?? 0), 0);
}

function peakRssOf(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** Processor seconds that all processes of the machine have used together. */
export function machineCpuSeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = textOf("/proc/stat")
    .split("\n", 1)
    .flatMap((line) => line.split(/\s+/).slice(1).map(Number));
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}

/** The fields of /proc/PID/stat that follow the process's name; the name may contain spaces. */
function statOf(pid: number): string[] {
  return textOf(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? [];
}

/** The text of a file in /proc; empty if the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
