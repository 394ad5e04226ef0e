import { readFileSync } from "node:fs";
import type { ServiceLoad } from "../../src/scaling/registry/service-instance.ts";

/** What /proc says about a process: its load in figures that every process has. */
export type ProcessLoad = Pick<ServiceLoad, "cpu_percent" | "rss_bytes">;

interface Reading {
  readonly atMs: number;
  readonly cpuMs: number;
}

/** Processor time is counted in ticks of 10 ms: over this time, the share of a core is right to 2 %. */
const shortestMs = 500;
const msPerTick = 10;

/** Measures what processes use, from its construction on. Only Linux has /proc: elsewhere, nothing is known. */
export class UsageMeter {
  private readonly first: ReadonlyMap<number, Reading>;

  constructor(private readonly pids: readonly number[]) {
    this.first = readings(pids);
  }

  /** Waits until half a second has been measured.
   *  @returns the load by process id, without the processes that have ended */
  async read(): Promise<ReadonlyMap<number, ProcessLoad>> {
    const startedMs = Math.min(...[...this.first.values()].map(({ atMs }) => atMs));
    if (this.first.size > 0) await Bun.sleep(Math.max(0, startedMs + shortestMs - performance.now()));
    const now = readings(this.pids);
    const loads = [...this.first].flatMap(([pid, before]): [number, ProcessLoad][] => {
      const after = now.get(pid);
      const rssBytes = readRssBytes(pid);
      if (after === undefined || rssBytes === undefined) return [];
      const share = (after.cpuMs - before.cpuMs) / (after.atMs - before.atMs);
      return [[pid, { cpu_percent: 100 * share, rss_bytes: rssBytes }]];
    });
    return new Map(loads);
  }
}

function readings(pids: readonly number[]): ReadonlyMap<number, Reading> {
  return new Map(
    pids.flatMap((pid): [number, Reading][] => {
      const cpuMs = readCpuMs(pid);
      return cpuMs === undefined ? [] : [[pid, { atMs: performance.now(), cpuMs }]];
    }),
  );
}

/** Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (utime, stime) */
function readCpuMs(pid: number): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  // the second field is the process's name, which may contain spaces and brackets
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isFinite(ticks) ? ticks * msPerTick : undefined;
}

function readRssBytes(pid: number): number | undefined {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Empty if the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
