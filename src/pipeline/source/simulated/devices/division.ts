import type { Workload } from "../../../../domain/gpu.ts";
import type { Readings } from "../simulated-metrics.ts";

/** A part of a GPU for which the exporter writes a row for each metric. */
export interface Part {
  /** The labels that tell its rows apart from those of other parts, besides the workload's. */
  readonly labels: Readonly<Record<string, string>>;
  readonly workload: Workload;
  readonly readings: Readings;
}

/** How a GPU is divided among its users. */
export interface Division {
  /** Lets time pass. */
  advance(seconds: number): void;
  /** At least one part.
   *  @param board the readings of the whole GPU; each part repeats those that are not its own */
  parts(board: Readings): readonly Part[];
}
