import { hourMs } from "../../../../domain/time-range.ts";
import type { UsagePrices } from "../../../../domain/usage/prices.ts";
import type { JobFilter, JobUsage } from "../../../../domain/usage/usage.ts";
import { type HeldShare, UsageSums } from "./usage-sums.ts";

/** A pod or job that no record has named for so long has ended. */
const quietMs = 15 * 60_000;

interface OpenJob {
  readonly held: HeldShare;
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

  /** Adds what a job had of a device in an hour; what no job had is left out. */
  add(held: HeldShare, hour: number): void {
    if (held.state !== "allocated") return;
    const { fromMs, toMs } = held.share.segment;
    const key = JSON.stringify([held.workload.namespace, held.workload.pod, held.job]);
    let job = this.jobs.get(key);
    if (job === undefined)
      this.jobs.set(key, (job = { held, sums: new UsageSums(this.prices), fromMs: Infinity, toMs: hour }));
    job.sums.add(held);
    job.fromMs = Math.min(job.fromMs, fromMs);
    job.toMs = Math.max(job.toMs, toMs);
  }

  /** The jobs in the order in which they began. */
  rows(): JobUsage[] {
    const { range, nowMs } = this.filter;
    const firstHour = Math.ceil(range.fromMs / hourMs) * hourMs;
    const endMs = Math.min(nowMs, Math.ceil(range.toMs / hourMs) * hourMs);
    return [...this.jobs.values()]
      .map(({ held, sums, fromMs, toMs }) => ({
        ...{ namespace: held.workload.namespace, pod: held.workload.pod, job: held.job, user: held.user, fromMs, toMs },
        hasEnded: toMs < endMs - quietMs,
        isComplete: fromMs > firstHour,
        uuids: [...sums.uuids].sort(),
        ...sums.sum(),
      }))
      .sort((a, b) => a.fromMs - b.fromMs || (nameOf(a) < nameOf(b) ? -1 : 1));
  }
}

const nameOf = ({ namespace, pod, job }: JobUsage): string => JSON.stringify([namespace, pod, job]);
