import type { Labels } from "./labels.ts";
import type { Matcher } from "./matcher.ts";
import type { Work } from "./work.ts";

/** Which series of which time to read. */
export interface Selection {
  readonly matchers: readonly Matcher[];
  /** The instants from `fromMs` to `toMs`, both included. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The instants of which only the newest sample at or before each is needed; absent: all samples of the range are. */
  readonly instants?: SelectedInstants | undefined;
}

/** Instants for which a query needs the newest sample. */
export interface SelectedInstants {
  /** The first of the instants that is not before `timeMs`; Infinity if all are before it. */
  nextFrom(timeMs: number): number;
}

/** A series with its samples, by time ascending. */
export interface SelectedSeries {
  readonly labels: Labels;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  /** 1 for each sample at which the series ended: it has no value from there on until the next sample. Undefined: none. */
  readonly ends: Uint8Array | undefined;
}

/** Where a query's series come from. */
export interface SeriesSource {
  /** The series of each selection, in its order, no two of them with the same labels. All selections of a query are read by one call.
   *  @param work is told how many samples are held in memory, and ends the reading */
  select(selections: readonly Selection[], work: Work): Promise<readonly (readonly SelectedSeries[])[]>;
}
