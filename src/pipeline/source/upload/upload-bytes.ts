import type { ByteStream, OpenContent, StoredBytes } from "../file/stored-bytes.ts";

export interface UploadBytesOptions {
  /** For messages. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Every part has so many bytes, except the last one. */
  readonly partBytes: number;
  /** @param number from 0 */
  readonly readPart: (number: number) => Promise<Uint8Array>;
}

/** The bytes of an upload, which are kept in parts. A part at a time is in memory. */
export class UploadBytes implements StoredBytes {
  constructor(private readonly options: UploadBytesOptions) {}

  get name(): string {
    return this.options.name;
  }

  open(): Promise<OpenContent> {
    const { sizeBytes, partBytes, readPart } = this.options;
    let current: { readonly number: number; readonly bytes: Uint8Array } | undefined;
    const read: OpenContent["read"] = async (buffer, { offset, length, position }) => {
      if (position >= sizeBytes) return { bytesRead: 0 };
      const number = Math.floor(position / partBytes);
      if (current?.number !== number) current = { number, bytes: await readPart(number) };
      const from = position - number * partBytes;
      const bytes = current.bytes.subarray(from, from + length);
      buffer.set(bytes, offset);
      return { bytesRead: bytes.length };
    };
    return Promise.resolve({ read, close: () => Promise.resolve() });
  }

  stream(): ByteStream {
    const { sizeBytes, partBytes, readPart } = this.options;
    let number = 0;
    let isClosed = false;
    const chunks = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          if (isClosed || number * partBytes >= sizeBytes) return controller.close();
          controller.enqueue((await readPart(number)) as Uint8Array<ArrayBuffer>);
          number += 1;
        },
      },
      { highWaterMark: 1 },
    );
    return { chunks, close: () => void (isClosed = true) };
  }
}
