import type {
  ArchivedFile,
  ArchiveFilter,
  ArchiveReport,
  ArchiveSelection,
  ArchiveState,
  ListedArchiveFile,
  OpenHours,
} from "../../domain/archive.ts";
import type { SettleAge } from "./history-settling.ts";

/** The process that may write the archive. */
export interface ArchiveLead {
  /** The process. */
  readonly holder: string;
  /** Where the archive is. */
  readonly place: string;
}

/** What became of an hour of the archive. `led by another`: this process does not lead any more. */
export type ArchiveOutcome = "done" | "hour is busy" | "led by another";

/** What the archive has, and what it lacks. Every call throws StoreUnavailable (retryable) if the store does not answer. */
export interface ArchiveLedger {
  /** Makes a process the one that writes the archive, or keeps it so for half a minute. In another place than before, nothing is archived.
   *  @returns false if another process leads */
  lead(lead: ArchiveLead): Promise<boolean>;
  /** Ends the lead of a process, with its report if it still leads. */
  report(holder: string, report: ArchiveReport, ends: boolean): Promise<void>;
  /** Finds the hours whose records are not archived, or not as they are now. */
  open(age: SettleAge): Promise<OpenHours>;
  /** Notes that a process writes an hour. What it reads afterwards has all records whose later changes are not noted by themselves.
   *  @returns the files that there are of the hour, or why it may not be written */
  begin(hour: number, holder: string): Promise<readonly Pick<ArchivedFile, "clusterId" | "path">[] | ArchiveOutcome>;
  /** Notes that an hour is written. */
  complete(hour: number, holder: string, files: readonly ArchivedFile[]): Promise<ArchiveOutcome>;
  /** The files of the archive, the newest hour first. */
  files(filter: ArchiveFilter): Promise<readonly ListedArchiveFile[]>;
  /** @param selection the files that count; absent: all */
  state(selection?: ArchiveSelection): Promise<ArchiveState>;
}

/** What this process has written, and what waits. */
export interface ArchiveFigures {
  readonly files: number;
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  /** What waits; undefined unless this process leads. */
  readonly waiting: { readonly hours: number; readonly lagSeconds: number } | undefined;
}
