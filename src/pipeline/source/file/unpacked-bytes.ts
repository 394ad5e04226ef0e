import type { Packing } from "./packing.ts";
import type { ByteStream, StoredBytes } from "./stored-bytes.ts";

/** Unpacks stored bytes from its beginning, as far as its bytes are asked for. It holds one chunk, and the window of the packing. A file
 *  of several members or frames, as parallel packers and appending programs write it, is unpacked to its end. */
export class UnpackedBytes {
  private readonly packed: ByteStream;
  private readonly chunks: AsyncIterator<Uint8Array>;
  private chunk: Uint8Array = new Uint8Array(0);
  private nextOffset = 0;

  constructor(bytes: Pick<StoredBytes, "stream">, packing: Packing) {
    this.packed = bytes.stream();
    // Bun reports a frame that is cut off with this stream, but not with that of node:zlib
    const unpacking = new DecompressionStream(packing);
    const chunks: ReadableStream<Uint8Array> = this.packed.chunks.pipeThrough(unpacking);
    this.chunks = chunks[Symbol.asyncIterator]();
  }

  /** Offset in the unpacked content of the next byte. */
  get offset(): number {
    return this.nextOffset;
  }

  /** Goes on to a later offset, or to the end. @throws the stream's errors */
  async skipTo(offset: number): Promise<void> {
    while (this.nextOffset < offset && (await this.hasBytes())) this.take(offset - this.nextOffset);
  }

  /** Fills `target`, up to the end of the content. @returns how many bytes it has got @throws the stream's errors */
  async readInto(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length && (await this.hasBytes())) {
      const bytes = this.take(target.length - filled);
      target.set(bytes, filled);
      filled += bytes.length;
    }
    return filled;
  }

  async close(): Promise<void> {
    await this.chunks.return?.().catch(() => undefined);
    this.packed.close();
  }

  private async hasBytes(): Promise<boolean> {
    while (this.chunk.length === 0) {
      const next: IteratorResult<Uint8Array, unknown> = await this.chunks.next();
      if (next.done === true) return false;
      this.chunk = next.value;
    }
    return true;
  }

  private take(maxBytes: number): Uint8Array {
    const bytes = this.chunk.subarray(0, maxBytes);
    this.chunk = this.chunk.subarray(bytes.length);
    this.nextOffset += bytes.length;
    return bytes;
  }
}
