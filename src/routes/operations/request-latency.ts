import { Histogram, type Registry } from "prom-client";
import { requestDuration } from "./http-instruments.ts";

/** Requests of operators and probes say nothing about the clients. */
const operatorsRoutes = /^\/(health|metrics)/;

type Counts = ReadonlyMap<number, number>;

/** Reads the latency of a process's requests from their histogram. */
export class RequestLatency {
  private before: Counts = new Map();

  constructor(private readonly registry: Registry) {}

  /** The 95th percentile of the requests since the last call, milliseconds, as exact as the histogram's buckets are;
   *  undefined if there was no request. */
  async p95Ms(): Promise<number | undefined> {
    const now = await this.counts();
    const since = [...now].map(([bound, count]) => [bound, count - (this.before.get(bound) ?? 0)] as const);
    this.before = now;
    const seconds = quantile(
      since.toSorted(([a], [b]) => a - b),
      0.95,
    );
    return seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10;
  }

  /** The number of requests that took at most as long as each bucket's bound, seconds. */
  private async counts(): Promise<Counts> {
    const histogram = this.registry.getSingleMetric(requestDuration);
    const counts = new Map<number, number>();
    if (!(histogram instanceof Histogram)) return counts;
    for (const { labels, value } of (await histogram.get()).values) {
      const { le, route } = labels as { readonly le?: string | number; readonly route?: string };
      if (le === undefined || operatorsRoutes.test(route ?? "")) continue;
      const bound = le === "+Inf" ? Infinity : Number(le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
    return counts;
  }
}

/** The quantile of a cumulative histogram, interpolated within its bucket. Of values beyond the last bound, only that bound is
 *  known.
 *  @param buckets in the order of their bounds; the last is unbounded
 *  @returns undefined if the histogram is empty
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile */
function quantile(buckets: readonly (readonly [bound: number, count: number])[], share: number): number | undefined {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  const index = buckets.findIndex(([, count]) => count >= rank);
  const [lower, below] = buckets[index - 1] ?? [0, 0];
  const [upper, count] = buckets[index] ?? [lower, below];
  return upper === Infinity ? lower : lower + ((upper - lower) * (rank - below)) / (count - below);
}
