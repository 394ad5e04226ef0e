import type { Resolution } from "../../domain/query.ts";

/** Days that each resolution is kept; 0: for ever. */
export type KeepDays = Readonly<Record<Resolution, number>>;

/** Deletes old history. */
export interface HistoryRetention {
  /** Deletes what is older, whole chunks where there are chunks; of several processes that call it at once, one does it.
   *  @returns what was deleted, for people; undefined where there was nothing, or another process is at it
   *  @throws StoreUnavailable (retryable) */
  deleteOlder(keepDays: KeepDays): Promise<string | undefined>;
}
