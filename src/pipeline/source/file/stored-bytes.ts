/** Bytes that can be read at any offset while they are open. */
export interface OpenContent {
  /** Reads `length` bytes, or up to the end, from `position` of the content into the buffer, from its index `offset` on. */
  read(
    buffer: Buffer,
    place: { readonly offset: number; readonly length: number; readonly position: number },
  ): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

/** Bytes in their order. */
export interface ByteStream {
  readonly chunks: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Ends the stream. */
  close(): void;
}

/** Bytes that are stored, such as those of a file. */
export interface StoredBytes {
  /** For messages, such as the file's path. */
  readonly name: string;
  /** @throws UnusableSource if they cannot be opened */
  open(): Promise<OpenContent>;
  /** All bytes, from the first one on. */
  stream(): ByteStream;
}
