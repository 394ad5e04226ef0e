import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;

/** Processor time of a process by the kind of its threads, in seconds. */
export interface ThreadSeconds {
  /** The thread that runs JavaScript. */
  readonly main: number;
  /** Compiles JavaScript to machine code, and what the engine warms up. */
  readonly compiler: number;
  /** Collects garbage, and returns memory to the system. */
  readonly garbage: number;
  /** All others: file reads, the profiler's. */
  readonly others: number;
}

/** The processor time that the threads of a Bun process have used; ended threads are left out.
 *  Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function threadSecondsOf(pid: number): ThreadSeconds {
  const seconds = { main: 0, compiler: 0, garbage: 0, others: 0 };
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const name = text.slice(text.indexOf("(") + 1, text.lastIndexOf(")"));
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    seconds[Number(id) === pid ? "main" : kindOf(name)] += (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }
  return seconds;
}

/** What was used between two looks. */
export function usedBetween(before: ThreadSeconds, after: ThreadSeconds): ThreadSeconds {
  return {
    main: after.main - before.main,
    compiler: after.compiler - before.compiler,
    garbage: after.garbage - before.garbage,
    others: after.others - before.others,
  };
}

/** The time of all threads. */
export function sumOf({ main, compiler, garbage, others }: ThreadSeconds): number {
  return main + compiler + garbage + others;
}

export const noSeconds: ThreadSeconds = { main: 0, compiler: 0, garbage: 0, others: 0 };

function kindOf(threadName: string): "compiler" | "garbage" | "others" {
  if (/^JIT|^JSC/.test(threadName)) return "compiler";
  return /^Heap|scavenger/.test(threadName) ? "garbage" : "others";
}
