import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import { metrics } from "../../../domain/metrics.ts";
import type { CollectedSample } from "./collected-samples.ts";
import type { DeviceSubject, MetricSubject } from "./series-subject.ts";

/** Decides which spelling of a metric counts if an exposition has a device's metric under several, as exporters have that are
 *  configured with older and newer names: the one with the lowest rank, whatever the order of the lines. */
export class SpellingRanks {
  /** The metrics with several spellings. */
  private readonly contested: ReadonlySet<number>;
  /** The spelling that counts, for each contested metric of a device. */
  private readonly taken = new Map<string, string>();

  /** @param names the names of the exposition, each once */
  constructor(names: ReadonlySet<string>) {
    const seen = new Set<number>();
    const contested = new Set<number>();
    for (const name of names) {
      const index = spellingOf(name)?.metricIndex;
      if (index === undefined) continue;
      if (seen.has(index)) contested.add(index);
      seen.add(index);
    }
    this.contested = contested;
  }

  /** The samples, those of spellings with a low rank first. */
  inOrder(samples: readonly CollectedSample[]): readonly CollectedSample[] {
    if (this.contested.size === 0) return samples;
    const rankOf = ({ series }: CollectedSample): number => spellingOf(series.name)?.rank ?? 0;
    return samples.toSorted((a, b) => rankOf(a) - rankOf(b));
  }

  /** True if another spelling of the metric has given the device a value. */
  isTaken(metric: MetricSubject, device: DeviceSubject): boolean {
    const { spelling, name } = metric;
    if (spelling === undefined || !this.contested.has(spelling.metricIndex)) return false;
    return (this.taken.get(keyOf(metric, device)) ?? name) !== name;
  }

  /** Notes that a spelling has given the device a value. */
  take(metric: MetricSubject, device: DeviceSubject): void {
    const { spelling, name } = metric;
    if (spelling !== undefined && this.contested.has(spelling.metricIndex)) this.taken.set(keyOf(metric, device), name);
  }
}

function keyOf({ metric }: MetricSubject, { board, device }: DeviceSubject): string {
  const isOfBoard = typeof metric === "number" && metrics[metric]?.scope === "board";
  return `${metric} ${(isOfBoard ? board : device).uuid}`;
}
