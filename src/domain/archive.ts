import type { TimeRange } from "./time-range.ts";

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
  /** The number of hours that are over and not archived. */
  readonly over: number;
  /** The first hour that is over and not archived; undefined if there is no such hour. */
  readonly firstOver: number | undefined;
  /** The first hour that is not archived; undefined if all are. */
  readonly first: number | undefined;
}

/** A file of the archive, as it is listed. */
export interface ListedArchiveFile extends ArchivedFile {
  /** The beginning of its hour, milliseconds since the epoch. */
  readonly hour: number;
  readonly writtenAtMs: number;
}

/** Which files are meant. */
export interface ArchiveSelection {
  readonly clusterId?: string;
  /** Only files of hours that have an instant of this range. */
  readonly range?: TimeRange;
}

/** Which files are listed. */
export interface ArchiveFilter extends ArchiveSelection {
  readonly limit: number;
  /** Only files after this one in the list. */
  readonly after?: Pick<ListedArchiveFile, "hour" | "clusterId">;
}

/** What the process that leads tells the others. */
export interface ArchiveReport {
  readonly waitingHours: number;
  /** The first hour that waits, milliseconds since the epoch; undefined if no hour waits. */
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
