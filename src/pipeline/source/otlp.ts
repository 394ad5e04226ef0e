import type { WriteCounts } from "./remote-write.ts";

/** How a request of OTLP is written. */
export type OtlpFormat = "protobuf" | "json";

/** Data points that cannot become samples: deltas, and those of the type of another number. */
export interface OtlpRefusals {
  count: number;
  /** Of the first one. */
  message: string;
}

/** The body of an export of metrics by OTLP/HTTP, as it arrives.
 *  Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request */
export interface OtlpBody {
  readonly format: OtlpFormat;
  readonly packing: "gzip" | undefined;
  readonly bytes: ReadableStream<Uint8Array>;
  /** The cluster of points that name none. */
  readonly clusterId: string;
  /** The reader counts in it. */
  readonly counts: WriteCounts;
  /** The reader tells in it what it has refused. */
  readonly refused: OtlpRefusals;
}
