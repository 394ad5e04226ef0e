import type { Servers } from "./fleet.ts";
import type { Worker } from "./workers.ts";

/** What a run's faults meet, and who hears of it. */
export interface Victims {
  readonly servers: Servers;
  readonly workers: readonly Worker[];
  readonly collectors: readonly Worker[];
  readonly tell: (what: string) => void;
  /** Takes what should not have been. */
  readonly violated: (what: string) => void;
  /** Lets one after the other at the database: some faults last longer than they were drawn to. */
  readonly atDatabase: (work: () => Promise<void>) => Promise<void>;
}
