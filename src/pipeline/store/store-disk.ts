/** What an embedded store takes on the disk, in bytes. */
export interface DiskUse {
  /** All of its files. */
  readonly bytes: number;
  /** The write-ahead log, which is part of `bytes`. */
  readonly logBytes: number;
  /** Space within the files that new rows will take, which is part of `bytes`. */
  readonly reusableBytes: number;
  /** The most that the files may take; undefined: no limit. */
  readonly maxBytes: number | undefined;
  /** The size of each table with its indexes, as it was when the disk was last tidied. */
  readonly tables: ReadonlyMap<string, number>;
}

/** Deleted history. */
export interface TrimmedHistory {
  readonly records: number;
  /** Rollups of hours that had no records any more; each is of some GPUs and an hour. */
  readonly rollups: number;
  /** The beginning of the oldest hour that still has records, milliseconds since the epoch; undefined if none has. */
  readonly oldestMs: number | undefined;
}

/** Keeps the files of an embedded store small: its database does nothing by itself in the background. */
export interface StoreDisk {
  /** What the last measurement found. */
  use(): DiskUse;
  /** Call this before history is written. It shortens the write-ahead log if that has grown.
   *  @throws StoreUnavailable (retryable) while the files have no room for more */
  makeRoom(): Promise<void>;
  /** Makes the space of dead rows free for new ones, shortens the write-ahead log, and if the files are almost as large as they may be,
   *  deletes the oldest history.
   *  @param signal ends the work early
   *  @returns undefined if no history was deleted
   *  @throws StoreUnavailable (retryable) */
  tidy(signal: AbortSignal): Promise<TrimmedHistory | undefined>;
}
