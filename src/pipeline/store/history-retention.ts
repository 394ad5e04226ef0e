import type { Resolution } from "../../domain/query.ts";

/** The days for which each resolution is kept; 0: for ever. */
export type KeepDays = Readonly<Record<Resolution, number>>;

/** Deletes old history. */
export interface HistoryRetention {
  /** Deletes older history, in whole chunks if the database has chunks. If several processes call it at once, one deletes.
   *  @returns a description of the deleted history; undefined if nothing was deleted or another process is deleting
   *  @throws StoreUnavailable (retryable) */
  deleteOlder(keepDays: KeepDays): Promise<string | undefined>;
}
