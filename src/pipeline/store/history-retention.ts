import type { Resolution } from "../../domain/query.ts";

/** The days for which each resolution that is stored, and the usage of devices, is kept; 0: for ever. */
export type KeepDays = Readonly<Record<Extract<Resolution, "raw" | "1h"> | "usage", number>>;

/** What happens to records that are old enough to be deleted, but not archived. */
export type UnarchivedHours = "kept" | "deleted";

/** Deletes old history. */
export interface HistoryRetention {
  /** Deletes history that is older than `keepDays`, in whole chunks if the database has chunks, with what is kept about it, chunks that
   *  have become empty, and the oldest inputs of a quarantine that is too large. One process deletes at a time.
   *  @param unarchived `kept`: hours that are not archived at the instant of a deletion, and later ones, keep their records
   *  @returns a description of the deleted history; undefined if nothing was deleted, for example because another process is
   *    deleting
   *  @throws StoreUnavailable (retryable) */
  deleteOlder(keepDays: KeepDays, unarchived?: UnarchivedHours): Promise<string | undefined>;
}
