import type { Label, FamilyType } from "../exposition/scanned-exposition.ts";

/** A value of a series. */
export interface WrittenSample {
  readonly value: number;
  readonly timeMs: number;
  /** True if it says that the series ended. */
  readonly isStale: boolean;
}

/** A series of a request. */
export interface WrittenSeries {
  /** Empty if no label is `__name__`. */
  readonly name: string;
  /** The others. */
  readonly labels: readonly Label[];
  readonly samples: readonly WrittenSample[];
  /** How many histograms and exemplars it has. */
  readonly histograms: number;
  readonly exemplars: number;
}

/** What a request says about a family of metrics. */
export interface WrittenMetadata {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly unit: string;
}

/** What a request has, in its order. */
export type WrittenPart = { readonly series: WrittenSeries } | { readonly metadata: WrittenMetadata };

/** The types of families by their numbers, which are the same in both versions. */
const types: readonly FamilyType[] = [
  ...(["unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"] as const),
];

/** The type of a family by its number. */
export const familyTypeOf = (number: number): FamilyType => types[number] ?? "unknown";
