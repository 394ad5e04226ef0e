/** The versions of Prometheus' remote write that are read.
 *  Source: https://prometheus.io/docs/specs/prw/remote_write_spec/, https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ */
export type WriteProtocol = "1.0" | "2.0";

/** What happens to a sample: it is stored, rejected, or dropped by one of the rules. A rejected one is in quarantine, except a data point of
 *  OTLP that cannot become a sample. */
export const sampleOutcomes = ["stored", "rejected", "no_gpu", "no_value", "stale", "other_spelling"] as const;
export type SampleOutcome = (typeof sampleOutcomes)[number];

/** Counts what a request has, while it is read. */
export class WriteCounts {
  histograms = 0;
  exemplars = 0;
  private readonly outcomes = new Map<SampleOutcome, number>();

  add(outcome: SampleOutcome, samples = 1): void {
    if (samples > 0) this.outcomes.set(outcome, this.of(outcome) + samples);
  }

  of(outcome: SampleOutcome): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  /** All samples, whatever happens to them. */
  get samples(): number {
    return sampleOutcomes.reduce((sum, outcome) => sum + this.of(outcome), 0);
  }
}

/** The body of a request of remote write, as it arrives: packed by snappy. */
export interface WriteBody {
  readonly protocol: WriteProtocol;
  readonly bytes: ReadableStream<Uint8Array>;
  /** The cluster of series without the label that names it. */
  readonly clusterId: string;
  /** The reader counts in it. */
  readonly counts: WriteCounts;
}
