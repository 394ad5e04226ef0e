import type { Label } from "../exposition/scanned-exposition.ts";

/** A data point of a gauge or a sum. */
export interface OtlpPoint {
  readonly attributes: readonly Label[];
  readonly timeMs: number;
  /** NaN if the point has none. */
  readonly value: number;
  /** True if it says that there is no value. */
  readonly isNoValue: boolean;
}

/** A metric of a request. */
export interface OtlpMetric {
  readonly name: string;
  /** In UCUM; empty if it names none. */
  readonly unit: string;
  /** Those of the resource. */
  readonly resource: readonly Label[];
  readonly points: readonly OtlpPoint[];
  /** Why its points cannot become samples; undefined if they can. */
  readonly problem: string | undefined;
  /** Points of histograms and summaries. */
  readonly histograms: number;
}

/** The number of the temporality in which each point has only what came since the last one. */
export const deltaTemporality = 1;
/** The flag of a point without a value. */
export const noValueFlag = 1;
/** The message about a sum of deltas. */
export const deltaProblem = "is a sum of deltas; send cumulative sums";
