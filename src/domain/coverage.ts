import type { GpuSelector } from "./gpu-selector.ts";
import type { ReadingFault } from "./reading.ts";
import type { TimeRange } from "./time-range.ts";

/** The span of the ledger's counts, milliseconds. */
export const coverageHourMs = 3_600_000;

/** The groups into which coverage can be summed up. A target is a live source with a schedule. */
export const coverageGroupings = ["device", "host", "cluster", "target"] as const;
export type CoverageGrouping = (typeof coverageGroupings)[number];

/** How it is known what was expected. `schedule`: from the schedule of a live source. `learned`: from the usual time between the
 *  device's records, as for files. `declared`: from the usual interval of the host or cluster, for declared devices that have never
 *  reported. `mixed`: several of these. `unknown`: there are too few records to learn from. */
export const coverageBases = ["schedule", "learned", "declared", "mixed", "unknown"] as const;
export type CoverageBasis = (typeof coverageBases)[number];

/** Why a reading of a device is missing. `unreported`: no streamer has said yet what became of it. `not_listed`: the source has ended,
 *  because no list of targets had it any more. `absent`: the source was read, but the device was not in what it said. `unknown`: the
 *  source was missed as often in the hour, or it was read without the device; older versions have not kept when. `never_seen`: the device
 *  was declared, and has never reported. */
export type MissingReason = ReadingFault | "unreported" | "not_listed" | "absent" | "unknown" | "never_seen";

/** Selects the hours and devices of a coverage. */
export interface CoverageFilter {
  readonly groupBy: CoverageGrouping;
  /** Without a namespace, because what is missing has no workload. By target, its devices select the targets. */
  readonly gpus: Omit<GpuSelector, "namespace">;
  /** Whole hours that begin in the range; both bounds are finite. */
  readonly range: TimeRange;
  /** One row for each group and hour, or one for each group. */
  readonly step: "hour" | "total";
  /** The present time: later readings are not expected. Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Maximum number of rows. */
  readonly limit: number;
  /** The row before the first one. */
  readonly after?: CoveragePlace;
}

/** The place of a row: its time, and the values that identify its group. */
export interface CoveragePlace {
  readonly timeMs: number;
  readonly group: readonly string[];
}

/** What was expected of a group in an hour or range, and what was received. Readings are counted for each device; by target, each
 *  reading counts once. */
export interface CoverageRow extends CoveragePlace {
  readonly devices: number;
  /** Undefined if it is not known for all devices. */
  readonly expected: number | undefined;
  readonly received: number;
  /** Readings that were due under maintenance and not received. They are not expected. */
  readonly maintenance: number;
  /** Reason -> expected readings that were not received; only reasons that occur. */
  readonly missed: Readonly<Partial<Record<MissingReason, number>>>;
  /** Received readings that were stored later than one interval after their time. */
  readonly late: number;
  /** Readings whose values the exporter has repeated, counted for each device, also by target. Undefined by device if a source
   *  of the device did not say of which devices it counted them. */
  readonly frozen: number | undefined;
  /** Rejected inputs of the group's sources. Undefined by device, and within bounds: they are those of all devices of a source. */
  readonly quarantined: number | undefined;
  readonly basis: CoverageBasis;
  /** The time from one reading to the next; undefined if it is not the same everywhere. */
  readonly intervalMs: number | undefined;
}

/** A part of the rows, ordered by time and group. */
export interface CoveragePage {
  readonly rows: readonly CoverageRow[];
  /** The place of the last row if more follow. */
  readonly next: CoveragePlace | undefined;
}
