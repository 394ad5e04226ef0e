import type { Resolution } from "../../domain/query.ts";

/** The days for which each resolution that is stored, and the usage of devices, is kept; 0: for ever. */
export type KeepDays = Readonly<Record<Extract<Resolution, "raw" | "1h"> | "usage", number>>;

/** Deletes old history. */
export interface HistoryRetention {
  /** Deletes history that is older than `keepDays`, in whole chunks if the database has chunks, with what is kept about it, chunks that
   *  have become empty, and the oldest inputs of a quarantine that is too large. One process deletes at a time.
   *  @returns a description of the deleted history; undefined if nothing was deleted, for example because another process is
   *    deleting
   *  @throws StoreUnavailable (retryable) */
  deleteOlder(keepDays: KeepDays): Promise<string | undefined>;
}
