import { spellingOf } from "../../../domain/dialects/spelling-of.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { metrics } from "../../../domain/metrics.ts";
import type { CollectedSample } from "./collected-samples.ts";
import type { DeviceSubject, MetricSubject } from "./series-subject.ts";

/** The spelling that counts, for each contested metric of a device. */
export type TakenSpellings = Map<string, Spelling>;

/** Decides which spelling of a metric counts if an exposition has a device's metric under several, as exporters have that are
 *  configured with older and newer names: the one with the lowest rank, whatever the order of the lines. */
export class SpellingRanks {
  /** The metrics with several spellings. */
  private readonly contested: ReadonlySet<number>;

  /** @param names the names of the exposition, each once
   *  @param taken those of earlier parts of the exposition; this part adds its own */
  constructor(
    names: ReadonlySet<string>,
    private readonly taken: TakenSpellings = new Map(),
  ) {
    const seen = new Set<number>();
    const contested = new Set<number>();
    for (const name of names) {
      const index = spellingOf(name)?.metricIndex;
      if (index === undefined) continue;
      if (seen.has(index)) contested.add(index);
      seen.add(index);
    }
    this.contested = contested;
    if (contested.size === 0) taken.clear();
  }

  /** The samples, those of spellings with a low rank first. */
  inOrder(samples: readonly CollectedSample[]): readonly CollectedSample[] {
    if (this.contested.size === 0) return samples;
    const rankOf = ({ series }: CollectedSample): number => spellingOf(series.name)?.rank ?? 0;
    return samples.toSorted((a, b) => rankOf(a) - rankOf(b));
  }

  /** True if a spelling of the metric that comes before this one has given the device a value. */
  isTaken(metric: MetricSubject, device: DeviceSubject): boolean {
    const { spelling } = metric;
    if (spelling === undefined || !this.contested.has(spelling.metricIndex)) return false;
    return (this.taken.get(keyOf(metric, device)) ?? spelling).rank < spelling.rank;
  }

  /** Notes that a spelling has given the device a value. */
  take(metric: MetricSubject, device: DeviceSubject): void {
    const { spelling } = metric;
    if (spelling !== undefined && this.contested.has(spelling.metricIndex)) {
      this.taken.set(keyOf(metric, device), spelling);
    }
  }
}

function keyOf({ metric }: MetricSubject, { board, device }: DeviceSubject): string {
  const isOfBoard = typeof metric === "number" && metrics[metric]?.scope === "board";
  return `${metric} ${(isOfBoard ? board : device).uuid}`;
}
