import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import { type RollupResolution, rollupMs } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { StoreSize } from "../../../pipeline/store/telemetry-queries.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { FleetGpu } from "../../schemas/gpu.ts";

export interface RowEstimatesOptions {
  readonly fleet: Pick<Fleet, "gpus" | "isLoaded">;
  readonly size: () => Promise<StoreSize>;
  readonly clock: Clock;
}

/** How old the store's size may become. */
const maxAgeMs = 60_000;
/** Until the number of records is known, and in the embedded store, which does not know it: a record of each GPU every 10 s. */
const assumedPerMs = 1 / 10_000;
/** No GPU is known to report more often than this. */
const maxPerMs = 1 / 100;

/** Estimates how many records the database has of some GPUs and some time: the time in which each GPU has reported, by the records
 *  that a GPU of this fleet has in that time on average. */
export class RowEstimates {
  private perMs = assumedPerMs;
  private askedAtMs = -Infinity;

  constructor(private readonly options: RowEstimatesOptions) {}

  /** Of each GPU, counts what `countOf` makes of the time in which it has reported.
   *  @returns 0 if the fleet is not known yet */
  sum(selector: GpuSelector, range: TimeRange, countOf: (ms: number) => number): number {
    if (!this.options.fleet.isLoaded) return 0;
    this.refresh();
    return this.options.fleet.gpus(selector).reduce((sum, gpu) => sum + countOf(Math.max(0, overlapMs(gpu, range))), 0);
  }

  /** The records of these GPUs in this time. */
  records(selector: GpuSelector, range: TimeRange): number {
    return this.sum(selector, range, (ms) => this.in(ms));
  }

  /** The records that a GPU has in so many milliseconds. */
  in(ms: number): number {
    return ms * this.perMs;
  }

  /** The rows from which a rollup of one GPU and one minute, hour or day is read. */
  perRollup(resolution: RollupResolution): number {
    return Math.max(1, this.in(rollupMs[resolution]));
  }

  /** Reads the store's size, in the background, if it is too old. */
  private refresh(): void {
    const { clock, size } = this.options;
    if (clock.nowMs() - this.askedAtMs < maxAgeMs) return;
    this.askedAtMs = clock.nowMs();
    size().then(
      (known) => this.learn(known),
      // the last rate remains: while the store does not answer, no question costs it anything
      () => undefined,
    );
  }

  private learn({ records }: StoreSize): void {
    const reportedMs = this.options.fleet.gpus({}).reduce((sum, gpu) => sum + gpu.lastSeenAtMs - gpu.firstSeenAtMs, 0);
    if (records > 0 && reportedMs > 0) this.perMs = Math.min(records / reportedMs, maxPerMs);
  }
}

function overlapMs({ firstSeenAtMs, lastSeenAtMs }: FleetGpu, { fromMs, toMs }: TimeRange): number {
  return Math.min(lastSeenAtMs + 1, toMs) - Math.max(firstSeenAtMs, fromMs);
}
