import type { RejectedInput } from "../../../domain/batch.ts";

/** The two text formats. They agree on samples, except that a timestamp is in milliseconds in the one and in seconds in the other. */
export type ExpositionFormat = "text" | "openmetrics";

/** The name and the value of a label, without escapes. */
export type Label = readonly [name: string, value: string];

/** The text of an exposition as it was received. */
export interface ReceivedExposition {
  readonly bytes: Uint8Array;
  /** As the sender names it; without a name, an exposition that ends with `# EOF` is OpenMetrics. */
  readonly format?: ExpositionFormat;
}

/** What a sample is a value of. */
export interface ScannedSeries {
  /** The name of the metric, as the exporter writes it: `DCGM_FI_DEV_GPU_TEMP`. */
  readonly name: string;
  /** In the order of the text, with those whose value is empty. No name occurs twice. Series with the same text between the braces
   *  share one array, in later scans too. */
  readonly labels: readonly Label[];
}

/** Receives what a scanner finds, in the order of the lines. The scanner's `line`, `byte` and `rejection` are those of the line that
 *  the sink is receiving. */
export interface ExpositionSink {
  /** @param series the same object for the same text `name{labels}`, in later scans too while the scanner's cache has it
   *  @param value bit for bit the double that Number() gives for the text; infinities and NaN are passed on
   *  @param timestampMs whole milliseconds since the epoch, rounded; undefined if the line has none */
  sample(series: ScannedSeries, value: number, timestampMs: number | undefined): void;
  /** Receives a line that could not be read, with `line` and `byte` in the exposition. */
  rejected(input: RejectedInput): void;
}

/** The type of a family; `unknown` includes the `untyped` of the text format. */
export type FamilyType =
  "counter" | "gauge" | "histogram" | "gaugehistogram" | "summary" | "stateset" | "info" | "unknown";

/** What `# TYPE`, `# HELP` and `# UNIT` say about a family; the last of several lines counts. */
export interface MetricFamily {
  readonly type: FamilyType;
  /** Empty if no line says it. */
  readonly help: string;
  /** Empty if no line says it. */
  readonly unit: string;
}

/** What a scan found besides samples. */
export interface ScannedExposition {
  /** By the name in the comments, which in OpenMetrics has no suffix such as `_total`. The same object as in the scan before if
   *  nothing changed. */
  readonly families: ReadonlyMap<string, MetricFamily>;
  /** True if a line is `# EOF`, which ends a whole exposition of OpenMetrics. */
  readonly sawEnd: boolean;
  /** True if the last line has no line end, as in an exposition that was cut off: its last number may then be a part of a number. */
  readonly endsInLine: boolean;
  /** Number of samples that the sink received. */
  readonly samples: number;
  /** Number of lines, blank lines and comments included. */
  readonly lines: number;
}

/** Limits of what a scanner reads and keeps. Lines beyond them are rejected. */
export interface ExpositionLimits {
  /** The number of series of a generation of the cache; it has two generations (see line-cache.ts). */
  readonly maxSeries: number;
  /** The length of a line without its line end. */
  readonly maxLineBytes: number;
  /** The number of labels of a series. */
  readonly maxLabels: number;
  /** The length of the name of a metric or a label, in bytes. */
  readonly maxNameBytes: number;
  /** The length of the value of a label, in bytes. */
  readonly maxLabelBytes: number;
}

/** Enough for every exporter of a host, and for a Prometheus that hands on the series of several racks. */
export const usualLimits: ExpositionLimits = {
  maxSeries: 50_000,
  maxLineBytes: 64 * 1024,
  maxLabels: 128,
  maxNameBytes: 256,
  maxLabelBytes: 4096,
};
