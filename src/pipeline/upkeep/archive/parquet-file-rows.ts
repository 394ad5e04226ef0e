import { type DecodedArray, type FileMetaData, parquetMetadataAsync, parquetScan, parquetSchema } from "hyparquet";
import type { ReadableFile } from "./archive-files.ts";

/** A row of a Parquet file, by the names of its columns; those without a value are absent. */
export type ParquetRow = Readonly<Record<string, unknown>>;

/** A Parquet file that is read part by part. */
export interface ParquetRows {
  readonly columns: readonly string[];
  /** The rows, some hundred at a time. */
  readonly parts: () => AsyncGenerator<readonly ParquetRow[], void>;
}

/** Rows whose values are in memory at a time. Files of the archive have groups of 20,000; those of others, of up to a million. */
const decodedRows = 65_536;
/** Rows that are objects at a time: as such, they take ten times the memory of their values. */
const rowsOfPart = 500;
/** The bytes of a group that are read at once; of a larger one, those of a column are. */
const groupMaxBytes = 32 * 1024 * 1024;

const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
/** Packings that the library itself does not read. */
const compressors = {
  ZSTD: (bytes: Uint8Array) => Bun.zstdDecompressSync(owned(bytes)),
  GZIP: (bytes: Uint8Array) => Bun.gunzipSync(owned(bytes)),
};

/** Opens a Parquet file. @throws ArchiveUnavailable, and the errors of a file that is damaged or none of Parquet */
export async function openParquetRows(file: ReadableFile): Promise<ParquetRows> {
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  return { columns, parts: () => partsOf({ file, metadata }, columns) };
}

type RowGroup = FileMetaData["row_groups"][number];

interface Opened {
  readonly file: ReadableFile;
  readonly metadata: FileMetaData;
}

async function* partsOf(
  { file, metadata }: Opened,
  names: readonly string[],
): AsyncGenerator<readonly ParquetRow[], void> {
  let groupStart = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = groupStart + Number(group.num_rows);
    const bytes = await inMemory(file, group);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += decodedRows) {
      const rowEnd = Math.min(groupEnd, rowStart + decodedRows);
      const columns = await readColumns({ file: bytes, metadata, rowStart, rowEnd }, names);
      for (let at = 0; at < rowEnd - rowStart; at += rowsOfPart) {
        yield rowsOf(columns, at, Math.min(rowEnd - rowStart, at + rowsOfPart));
      }
    }
    groupStart = groupEnd;
  }
}

/** The file with the bytes of a group in memory, if they are not too many. */
async function inMemory(file: ReadableFile, { columns }: RowGroup): Promise<ReadableFile> {
  let [first, end] = [Infinity, 0];
  for (const { meta_data: column } of columns) {
    if (column === undefined) return file;
    // some writers say 0 if there is none
    const start = Number(column.dictionary_page_offset ?? 0n) || Number(column.data_page_offset);
    first = Math.min(first, start);
    end = Math.max(end, start + Number(column.total_compressed_size));
  }
  if (!(end - first <= groupMaxBytes)) return file;
  const bytes = await file.slice(first, end);
  const { byteLength } = file;
  return {
    byteLength,
    slice: (from, to = byteLength) => {
      const isWithin = from >= first && to <= end;
      return isWithin ? Promise.resolve(bytes.slice(from - first, to - first)) : file.slice(from, to);
    },
  };
}

interface Range extends Opened {
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** A column's name, and its values in a range of rows. */
type Column = readonly [string, DecodedArray];

/** Reads the columns one after the other; those without values are left out. */
async function readColumns(range: Range, names: readonly string[]): Promise<readonly Column[]> {
  const { rowStart, rowEnd } = range;
  const scan = await parquetScan({ ...range, compressors });
  const columns: Column[] = [];
  for (const column of names) {
    const values = await scan.readColumn({ column, rowStart, rowEnd });
    if (values.some((value: unknown) => !isNone(value))) columns.push([column, values]);
  }
  return columns;
}

function rowsOf(columns: readonly Column[], from: number, to: number): ParquetRow[] {
  const rows: Record<string, unknown>[] = [];
  for (let at = from; at < to; at += 1) {
    const row: Record<string, unknown> = {};
    for (const [name, values] of columns) {
      const value: unknown = values[at];
      if (!isNone(value)) row[name] = value;
    }
    rows.push(row);
  }
  return rows;
}

const isNone = (value: unknown): boolean => value === null || value === undefined;
