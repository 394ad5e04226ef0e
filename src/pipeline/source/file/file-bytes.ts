import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { openForReading } from "./open-file.ts";
import type { ByteStream, OpenContent, StoredBytes } from "./stored-bytes.ts";

const chunkBytes = 256 * 1024;

/** The bytes of a file. */
export class FileBytes implements StoredBytes {
  constructor(readonly name: string) {}

  async open(): Promise<OpenContent> {
    const file = await openForReading(this.name);
    return {
      read: (buffer, { offset, length, position }) => file.read(buffer, offset, length, position),
      close: () => file.close(),
    };
  }

  stream(): ByteStream {
    const file = createReadStream(this.name, { highWaterMark: chunkBytes });
    return {
      chunks: Readable.toWeb(file) as ReadableStream<Uint8Array<ArrayBuffer>>,
      close: () => void file.destroy(),
    };
  }
}
