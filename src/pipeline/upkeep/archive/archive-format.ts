import type { StoredRecord } from "../../../domain/query.ts";

/** A row of a file, by the names of its columns. */
export type ArchiveRow = Readonly<Record<string, unknown>>;

/** A file that is made in memory, group by group. */
export interface RowFile {
  /** True if a group is to be written before more rows are added. */
  readonly isFull: boolean;
  add(rows: readonly ArchiveRow[]): void;
  /** @param pause called after each part of the work, which takes some milliseconds */
  writeGroup(pause: () => Promise<void>): Promise<void>;
  finish(): void;
  /** The bytes that were made since the last call. */
  taken(): Uint8Array;
}

/** What the files of the archive have. */
export interface ArchiveFormat {
  rowOf(record: StoredRecord): ArchiveRow;
  /** The record of a row that `rowOf` made, as it is read from a file. */
  recordOf(row: ArchiveRow): StoredRecord;
  /** Begins a file. */
  begin(): Promise<RowFile>;
}

/** A day of a cluster is a folder, in the form that DuckDB, pandas and Spark read as columns; each hour is a file.
 *  @param hour milliseconds since the epoch */
export function archivePath(hour: number, clusterId: string): string {
  const [date = "", time = ""] = new Date(hour).toISOString().split("T");
  return `date=${date}/cluster=${folderName(clusterId)}/${date}T${time.slice(0, 2)}.parquet`;
}

/** Folders have names of up to 255 bytes. */
const nameMaxLength = 200;

function folderName(clusterId: string): string {
  const name = clusterId === "" ? "__HIVE_DEFAULT_PARTITION__" : encodeURIComponent(clusterId.toWellFormed());
  if (name.length <= nameMaxLength) return name;
  // an escape is not cut
  const start = name.slice(0, nameMaxLength - 20).replace(/%.?$/, "");
  return `${start}~${new Bun.CryptoHasher("sha256").update(clusterId).digest("hex").slice(0, 16)}`;
}
