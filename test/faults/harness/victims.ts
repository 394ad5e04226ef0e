import type { Range } from "../../../src/domain/range.ts";
import type { Servers } from "./processes.ts";
import type { Worker } from "./workers.ts";

/** The targets of a run's faults, and the functions that report events and violations. */
export interface Victims {
  readonly servers: Servers;
  readonly workers: readonly Worker[];
  readonly collectors: readonly Worker[];
  /** The run's database. */
  readonly databaseUrl: string;
  /** Until this time, the streamers still read the source, and the collectors store. Milliseconds since the epoch. */
  readonly loadedUntilMs: number;
  /** Resolves when the run is drained, or stuck. */
  readonly drained: Promise<void>;
  /** Starts the second pipeline; a second call does nothing. */
  readonly startSecond: () => void;
  /** Adds an event to the history of the run. */
  readonly record: (event: string) => void;
  /** Reports ranges that the database had stored and no longer has. */
  readonly reportLost: (ranges: readonly Range[]) => void;
  /** Reports that a fault has compacted etcd's history, or removed its data. */
  readonly reportHistoryRemoved: () => void;
  /** Reports violations of invariants. */
  readonly reportViolations: (...violations: readonly string[]) => void;
  /** Runs the faults of the database one after the other, because a fault that lasts longer than planned could otherwise
   *  overlap the next one. */
  readonly atDatabase: (work: () => Promise<void>) => Promise<void>;
}
