import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import type { UsagePrices } from "../../../../domain/usage/prices.ts";
import type { JobFilter, JobUsage } from "../../../../domain/usage/usage.ts";
import type { UsageDayEntry, UsageWho } from "../../../../domain/usage/usage-day.ts";
import { type HeldShare, UsageSums } from "./usage-sums.ts";

/** A pod or job that no record has named for so long has ended. */
const quietMs = 15 * 60_000;

interface OpenJob {
  readonly who: UsageWho;
  readonly sums: UsageSums;
  fromMs: number;
  toMs: number;
}

/** What each pod and job used in a range. */
export class JobSums {
  private readonly jobs = new Map<string, OpenJob>();

  constructor(
    private readonly filter: Pick<JobFilter, "range" | "nowMs">,
    private readonly prices: UsagePrices,
  ) {}

  get size(): number {
    return this.jobs.size;
  }

  /** Adds what a job had of a device; what no job had is left out. */
  add(held: HeldShare): void {
    if (held.state !== "allocated") return;
    const { fromMs, toMs } = held.share.segment;
    this.jobOf(held, { fromMs, toMs }).add(held);
  }

  /** Adds what a job had on a day. @param uuidOf the uuids of devices by their keys */
  addDay(entry: UsageDayEntry, uuidOf: (key: number) => string): void {
    if (entry.who.state !== "allocated") return;
    const { fromMs = NaN, toMs = NaN } = entry.figures;
    this.jobOf(entry.who, { fromMs, toMs }).addDay(entry, uuidOf);
  }

  private jobOf(who: UsageWho, { fromMs, toMs }: TimeRange): UsageSums {
    const key = JSON.stringify([who.workload.namespace, who.workload.pod, who.job]);
    let job = this.jobs.get(key);
    if (job === undefined) this.jobs.set(key, (job = { who, sums: new UsageSums(this.prices), fromMs, toMs }));
    job.fromMs = Math.min(job.fromMs, fromMs);
    job.toMs = Math.max(job.toMs, toMs);
    return job.sums;
  }

  /** The jobs in the order in which they began. */
  rows(): JobUsage[] {
    const { range, nowMs } = this.filter;
    const firstHour = Math.ceil(range.fromMs / hourMs) * hourMs;
    const endMs = Math.min(nowMs, Math.ceil(range.toMs / hourMs) * hourMs);
    return [...this.jobs.values()]
      .map(({ who, sums, fromMs, toMs }) => ({
        ...{ namespace: who.workload.namespace, pod: who.workload.pod, job: who.job, user: who.user, fromMs, toMs },
        hasEnded: toMs < endMs - quietMs,
        isComplete: fromMs > firstHour,
        uuids: [...sums.uuids].sort(),
        ...sums.sum(),
      }))
      .sort((a, b) => a.fromMs - b.fromMs || (nameOf(a) < nameOf(b) ? -1 : 1));
  }
}

const nameOf = ({ namespace, pod, job }: JobUsage): string => JSON.stringify([namespace, pod, job]);
