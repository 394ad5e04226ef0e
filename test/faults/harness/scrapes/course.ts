import { until } from "../../../../dev/until.ts";
import { prefixRange } from "../../../../src/etcd/requests.ts";
import { TargetKeys } from "../../../../src/pipeline/stream/assignment/target-keys.ts";
import type { Worker } from "../workers.ts";
import { coverageIn } from "./scrape-store.ts";
import type { PlainRun } from "../seed-run.ts";

/** Who has how many targets. */
interface Shares {
  readonly counts: readonly number[];
  /** All keys, for people. */
  readonly keys: string;
}

export interface CourseOptions {
  readonly run: PlainRun;
  readonly streamers: readonly Worker[];
  readonly targetCount: number;
  readonly leaseSeconds: number;
  readonly record: (event: string) => void;
  readonly reportViolations: (...violations: readonly string[]) => void;
}

/** A process may take this long to start on a busy machine, and etcd to elect a leader. */
const slackMs = 40_000;
/** What the queue has gathered while the database was down must be stored within this time, also on a busy machine. */
const reportedMs = 180_000;

/** Adds and removes streamers, and waits until the targets are shared evenly. */
export class ScrapeCourse {
  private running: readonly Worker[] = [];

  constructor(private readonly options: CourseOptions) {}

  /** Starts streamers until there are `count`. */
  async grow(count: number): Promise<void> {
    const { streamers } = this.options;
    for (const streamer of streamers.slice(this.running.length, count)) streamer.start();
    this.running = streamers.slice(0, count);
    await this.calm();
  }

  /** Ends the newest streamer. @returns how it ended, and how long its targets had no owner or were shared unevenly */
  async shrink(signal: "SIGTERM" | "SIGKILL"): Promise<{ readonly end: string; readonly sharedAfterMs: number }> {
    const leaving = this.running.at(-1);
    this.running = this.running.slice(0, -1);
    this.options.record(`${signal} ${leaving?.name}, for good`);
    const startedAtMs = performance.now();
    const end = `${leaving?.name} ${await leaving?.stop(signal)}`;
    await this.calm();
    return { end, sharedAfterMs: performance.now() - startedAtMs };
  }

  /** Waits until each streamer has its even share. */
  async calm(): Promise<void> {
    const { leaseSeconds, record, reportViolations } = this.options;
    const startedAtMs = performance.now();
    let shares: Shares = { counts: [], keys: "nothing" };
    const isEven = async (): Promise<boolean> => {
      shares = await this.sharesInEtcd();
      return this.isEven(shares.counts);
    };
    try {
      await until(isEven, { timeoutMs: leaseSeconds * 1000 + slackMs, everyMs: 50 });
      record(`${shares.counts.join(", ")} targets, after ${Math.round(performance.now() - startedAtMs)} ms`);
    } catch {
      reportViolations(
        `I9: ${this.running.length} streamers do not share evenly, long after the last change: ${shares.keys}`,
      );
    }
  }

  private isEven(counts: readonly number[]): boolean {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const isWithinOne = Math.max(...counts) - Math.min(...counts) <= 1;
    return total === this.options.targetCount && counts.length === this.running.length && isWithinOne;
  }

  private async sharesInEtcd(): Promise<Shares> {
    const { etcd, topic } = this.options.run;
    const keys = new TargetKeys(topic);
    const answer = await etcd.range(prefixRange(keys.watched)).catch(() => undefined);
    // a process that was killed has its keys until its lease ends
    const isRunning = (owner: string): boolean => this.running.some(({ pid }) => owner.includes(`:${pid}:`));
    const owners = new Map<string, number>();
    const others: string[] = [];
    for (const { key, value, lease } of answer?.kvs ?? []) {
      const about = keys.read(key);
      const owner = `${value.toString()} under ${lease}`;
      if (about?.kind === "owner" && isRunning(owner)) owners.set(owner, (owners.get(owner) ?? 0) + 1);
      else if (about?.kind !== "owner") others.push(`${about?.kind} ${about?.id} under ${lease}`);
    }
    const owned = Array.from(owners, ([owner, count]) => `${count} of ${owner}`);
    return { counts: [...owners.values()], keys: [...owned, ...others].join("; ") };
  }

  /** Waits until the store knows what happened to every reading that is due now.
   *  @returns that instant, milliseconds since the epoch */
  async untilReported(): Promise<number> {
    const { run, targetCount, record, reportViolations } = this.options;
    const nowMs = Date.now();
    let unreported: readonly string[] = [];
    const isReported = async (): Promise<boolean> => {
      const rows = await coverageIn(run.database, nowMs);
      unreported = rows.filter(({ missed }) => missed.unreported !== undefined).map(({ group }) => group.join());
      return rows.length === targetCount && unreported.length === 0;
    };
    try {
      await until(isReported, { timeoutMs: reportedMs, everyMs: 200 });
      record(`every reading is reported, after ${Date.now() - nowMs} ms`);
    } catch {
      reportViolations(`I9: ${unreported.length} targets have unreported readings, such as ${unreported[0]}`);
    }
    return nowMs;
  }
}
