import { type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import type { ReadableFile } from "./archive-files.ts";

/** A row of a Parquet file, by the names of its columns. */
export type ParquetRow = Readonly<Record<string, unknown>>;

/** A Parquet file that is read group by group. */
export interface ParquetRows {
  readonly columns: readonly string[];
  /** The rows of a group at a time. */
  readonly groups: () => AsyncGenerator<readonly ParquetRow[], void>;
}

const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
/** Packings that the library itself does not read. */
const compressors = {
  ZSTD: (bytes: Uint8Array) => Bun.zstdDecompressSync(owned(bytes)),
  GZIP: (bytes: Uint8Array) => Bun.gunzipSync(owned(bytes)),
};

/** Opens a Parquet file. @throws ArchiveUnavailable, and the errors of a file that is damaged or none of Parquet */
export async function openParquetRows(file: ReadableFile): Promise<ParquetRows> {
  const metadata = await parquetMetadataAsync(file);
  return { columns: metadata.schema.map(({ name }) => name), groups: () => groupsOf(file, metadata) };
}

async function* groupsOf(file: ReadableFile, metadata: FileMetaData): AsyncGenerator<readonly ParquetRow[], void> {
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    yield await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors });
    rowStart = rowEnd;
  }
}
