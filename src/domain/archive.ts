/** A file that was written. */
export interface ArchivedFile {
  readonly clusterId: string;
  readonly path: string;
  readonly records: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Hours that are not archived, or not as they are now; beginnings in milliseconds since the epoch. */
export interface OpenHours {
  /** The time of the database. */
  readonly nowMs: number;
  /** Those that can be written: they are over, and no record has come for them for a while. The oldest first, at most a thousand. */
  readonly due: readonly number[];
  /** How many of them are over. */
  readonly over: number;
  /** The first that is over; undefined if none is. */
  readonly firstOver: number | undefined;
  /** The first of all; undefined if there is none. */
  readonly first: number | undefined;
}

/** A file of the archive, as it is listed. */
export interface ListedArchiveFile extends ArchivedFile {
  /** The beginning of its hour, milliseconds since the epoch. */
  readonly hour: number;
  readonly writtenAtMs: number;
}

/** Which files are listed. */
export interface ArchiveFilter {
  readonly limit: number;
  /** Only files after this one in the list. */
  readonly after?: Pick<ListedArchiveFile, "hour" | "clusterId">;
}

/** What the process that leads tells the others. */
export interface ArchiveReport {
  readonly waitingHours: number;
  /** The first of them, milliseconds since the epoch; undefined if there is none. */
  readonly waitingFromMs: number | undefined;
  /** Undefined if nothing failed. */
  readonly failure: string | undefined;
}

/** The archive as a whole. */
export interface ArchiveState extends ArchiveReport {
  /** Where it is; undefined if there was never one. */
  readonly place: string | undefined;
  /** True if a process writes it. */
  readonly isLed: boolean;
  readonly files: number;
  readonly records: number;
  readonly bytes: number;
  /** The first and the last hour, milliseconds since the epoch; undefined without files. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;
}
