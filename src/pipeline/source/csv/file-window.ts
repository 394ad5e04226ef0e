import { UnusableSource } from "../../../domain/errors.ts";
import type { OpenContent } from "../file/stored-bytes.ts";
import { lineFeed } from "../bytes/characters.ts";

export interface FileWindowOptions {
  readonly file: Pick<OpenContent, "read">;
  /** The path, for messages. */
  readonly path: string;
  /** The first byte to read. */
  readonly fromOffset: number;
  /** Where the file ends for this reader: bytes appended later are not read, unless `extendTo` adds them. */
  readonly endOffset: number;
  /** Bytes per read. */
  readonly chunkBytes: number;
  /** Makes bytes that were read into those of the usual form; undefined if they have it. See `translationOf`. */
  readonly translate: ((bytes: Uint8Array) => void) | undefined;
}

/** The part of a file that is in memory: one chunk, and the earlier bytes that the reader still needs. The window moves forward
 *  through the file. */
export class FileWindow {
  /** The bytes in memory; valid until the next `advance`. */
  bytes: Buffer;
  /** File offset of `bytes[0]`. */
  offset: number;
  private buffer: Buffer;
  private fileEnd: number;

  constructor(private readonly options: FileWindowOptions) {
    this.buffer = Buffer.allocUnsafe(options.chunkBytes);
    this.bytes = this.buffer.subarray(0, 0);
    this.offset = options.fromOffset;
    this.fileEnd = options.endOffset;
  }

  /** True when no more bytes can be read. */
  get atEnd(): boolean {
    return this.endOffset >= this.fileEnd;
  }

  /** Lets the window move on to bytes that were appended to the file. */
  extendTo(fileEnd: number): void {
    this.fileEnd = fileEnd;
  }

  /** File offset after the last byte in memory. */
  get endOffset(): number {
    return this.offset + this.bytes.length;
  }

  /** The index in `bytes` of the byte at a file offset that is in memory, or is the end of what is in memory. It is an int32, which the
   *  difference of two offsets beyond 2 GiB is not for the compiler: with such indexes, reading takes three times as long. */
  indexOf(offset: number): number {
    return (offset - this.offset) | 0;
  }

  /** Drops all bytes, and moves to any place of the file; the next `advance` reads from there. */
  moveTo(offset: number): void {
    this.bytes = this.buffer.subarray(0, 0);
    this.offset = offset;
  }

  /** Finds the end of the line that contains `offset`.
   *  @returns `next`, the offset after the line end. If the line end is not in memory, `isFound` is false, and `next` is the
   *  end of the bytes in memory */
  lineAfter(offset: number): { readonly next: number; readonly isFound: boolean } {
    const lineEnd = this.bytes.indexOf(lineFeed, offset - this.offset);
    if (lineEnd === -1) return { next: this.endOffset, isFound: false };
    return { next: this.offset + lineEnd + 1, isFound: true };
  }

  /** Drops the bytes before `keepFromOffset` and reads another chunk.
   *  @throws UnusableSource when the file cannot be read or has become shorter */
  async advance(keepFromOffset: number): Promise<void> {
    const { file, path, chunkBytes } = this.options;
    const remaining = this.bytes.subarray(keepFromOffset - this.offset);
    const wantedBytes = Math.min(chunkBytes, this.fileEnd - this.endOffset);
    const fileOffset = this.endOffset;
    this.moveToFront(remaining, wantedBytes);
    this.offset = keepFromOffset;
    const { buffer } = this;
    const bytesRead = await readInto(file, path, { buffer, bufferOffset: remaining.length, wantedBytes, fileOffset });
    if (bytesRead === 0 && wantedBytes > 0) {
      throw new UnusableSource(
        `${path} became shorter while it was read: it had ${this.fileEnd} bytes and now has at most ${fileOffset}. Put the whole file back and start again.`,
      );
    }
    this.bytes = this.buffer.subarray(0, remaining.length + bytesRead);
    this.options.translate?.(this.bytes.subarray(remaining.length));
  }

  private moveToFront(remaining: Buffer, wantedBytes: number): void {
    const needed = remaining.length + wantedBytes;
    if (needed <= this.buffer.length) {
      this.buffer.copyWithin(
        0,
        remaining.byteOffset - this.buffer.byteOffset,
        remaining.byteOffset - this.buffer.byteOffset + remaining.length,
      );
      return;
    }
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    grown.set(remaining);
    this.buffer = grown;
  }
}

interface Read {
  readonly buffer: Buffer;
  readonly bufferOffset: number;
  readonly wantedBytes: number;
  readonly fileOffset: number;
}

async function readInto(file: Pick<OpenContent, "read">, path: string, read: Read): Promise<number> {
  if (read.wantedBytes === 0) return 0;
  const place = { offset: read.bufferOffset, length: read.wantedBytes, position: read.fileOffset };
  try {
    return (await file.read(read.buffer, place)).bytesRead;
  } catch (cause) {
    throw new UnusableSource(`${path} cannot be read at byte ${read.fileOffset}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
