import type { Resolution } from "../../domain/query.ts";

/** The days for which each resolution is kept; 0: for ever. */
export type KeepDays = Readonly<Record<Resolution, number>>;

/** Deletes old history. */
export interface HistoryRetention {
  /** Deletes history that is older than `keepDays`, in whole chunks if the database has chunks, and chunks that have become empty. One
   *  process deletes at a time.
   *  @returns a description of the deleted history; undefined if nothing was deleted, for example because another process is
   *    deleting
   *  @throws StoreUnavailable (retryable) */
  deleteOlder(keepDays: KeepDays): Promise<string | undefined>;
}
