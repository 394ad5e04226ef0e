import { parquetReadObjects } from "hyparquet";

/** Reads a Parquet file with a library that did not write it. */
export function readParquet(file: ArrayBuffer): Promise<Record<string, unknown>[]> {
  const compressors = { ZSTD: (bytes: Uint8Array) => Bun.zstdDecompressSync(Uint8Array.from(bytes)) };
  return parquetReadObjects({ file, compressors });
}
