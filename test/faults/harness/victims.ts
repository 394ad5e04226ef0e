import type { Servers } from "./fleet.ts";
import type { Worker } from "./workers.ts";

/** The targets of a run's faults, and where to report. */
export interface Victims {
  readonly servers: Servers;
  readonly workers: readonly Worker[];
  readonly collectors: readonly Worker[];
  readonly record: (what: string) => void;
  /** Reports a violation of an invariant. */
  readonly violated: (what: string) => void;
  /** Runs faults of the database one after the other, because some last longer than the time drawn for them. */
  readonly atDatabase: (work: () => Promise<void>) => Promise<void>;
}
