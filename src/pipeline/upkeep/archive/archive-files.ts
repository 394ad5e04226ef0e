/** A file of an archive, by its path below the archive's folder. */
export interface ListedFile {
  readonly path: string;
  readonly bytes: number;
}

/** A file that is read in parts. */
export interface ReadableFile {
  readonly byteLength: number;
  /** The bytes from `start` to before `end`, by default to the last one. @throws ArchiveUnavailable */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

/** A file that is being written. Others see it once it is finished, and then whole. */
export interface NewFile {
  /** Resolves when more may be written. @throws ArchiveUnavailable */
  write(bytes: Uint8Array): Promise<void>;
  /** Shows the file, in place of one that had its path. @throws ArchiveUnavailable */
  finish(): Promise<void>;
  /** Removes what was written, as far as the place allows it. */
  discard(): Promise<void>;
}

/** The files of an archive: in a folder, or in a bucket of a store that speaks S3's protocol. */
export interface ArchiveFiles {
  /** Where they are, for messages; without secrets. */
  readonly description: string;
  /** Parquet files at any depth, in the order of their paths. @throws ArchiveUnavailable */
  list(): AsyncGenerator<ListedFile, void>;
  /** @throws ArchiveUnavailable, also if there is no such file */
  open(path: string): Promise<ReadableFile>;
  /** Begins a file, whose folders are made if they do not exist. @throws ArchiveUnavailable */
  create(path: string): Promise<NewFile>;
  /** @returns the size of a file; undefined if there is none. @throws ArchiveUnavailable */
  sizeOf(path: string): Promise<number | undefined>;
}

/** The names of files that archives have. */
export const parquetEnding = ".parquet";
