import { defaultRowMaxBytes } from "./row-splitter.ts";

/** How the bytes of a file are read. */
export interface CsvReading {
  /** If false, csv-parse reads every row, with the same result. */
  readonly fastLane: boolean;
  /** Bytes per read. The result is the same at any size. */
  readonly chunkBytes: number;
  /** A longer row is rejected. */
  readonly rowMaxBytes: number;
  /** How many bytes of rows tell how the file's scrapes are spread. In a shorter file, the rows of a scrape do not stay together. */
  readonly sampleBytes: number;
}

/** How production reads every file.
 *
 *  Chunks are large enough to make reads cheap compared with parsing, and small enough to keep the event loop responsive: a
 *  chunk takes about 2 ms on the fast lane and 10 ms on the slow lane. */
export const usualReading: CsvReading = {
  fastLane: true,
  chunkBytes: 1024 * 1024,
  rowMaxBytes: defaultRowMaxBytes,
  // three scrapes of 1,000 GPUs with 10 metrics; their first cells are read in about 20 ms
  sampleBytes: 16 * 1024 * 1024,
};
