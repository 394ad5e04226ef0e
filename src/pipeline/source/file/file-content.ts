import { UnusableSource } from "../../../domain/errors.ts";
import type { Clock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { FileBytes } from "./file-bytes.ts";
import { type Packing, packingOf, signatureBytes } from "./packing.ts";
import type { OpenContent, StoredBytes } from "./stored-bytes.ts";
import { UnpackedBytes } from "./unpacked-bytes.ts";

/** How long a place in a packed file is kept after its reader has closed it: the next range begins there. */
const keptMs = 30_000;
/** A reader, the planner of ranges and the counter of lines have a place each. */
const keptMax = 3;

/** The content of a file, or of other stored bytes: the bytes, or, if it is packed with gzip or zstd, the unpacked ones. A packed file has to be unpacked from its
 *  beginning to get to an offset; the places that earlier readers have reached are therefore kept for a while. */
export class FileContent {
  private readonly kept = new Map<UnpackedBytes, () => void>();

  /** @throws UnusableSource if the file cannot be opened */
  static of(path: string, clock: Pick<Clock, "after">): Promise<FileContent> {
    return FileContent.in(new FileBytes(path), clock);
  }

  /** @throws UnusableSource if the bytes cannot be read */
  static async in(bytes: StoredBytes, clock: Pick<Clock, "after">): Promise<FileContent> {
    const file = await bytes.open();
    try {
      const head = Buffer.alloc(signatureBytes);
      const { bytesRead } = await file.read(head, { offset: 0, length: signatureBytes, position: 0 });
      return new FileContent(bytes, packingOf(head.subarray(0, bytesRead)), clock);
    } finally {
      await file.close();
    }
  }

  private constructor(
    private readonly bytes: StoredBytes,
    readonly packing: Packing | undefined,
    private readonly clock: Pick<Clock, "after">,
  ) {}

  /** The number of bytes; those of a packed file are counted, which shows whether it is whole.
   *  @param fileBytes the number of bytes as they are stored
   *  @param maxBytes the count ends when it is above this
   *  @throws UnusableSource if the file cannot be unpacked */
  async size(fileBytes: number, maxBytes = Infinity): Promise<number> {
    if (this.packing === undefined) return fileBytes;
    const unpacked = new UnpackedBytes(this.bytes, this.packing);
    try {
      await unpacked.skipTo(maxBytes + 1);
      return unpacked.offset;
    } catch (cause) {
      throw new UnusableSource(
        `${this.bytes.name} is packed with ${this.packing} and is damaged or incomplete: after ${unpacked.offset} unpacked bytes, ${messageOf(cause)}. If its writer has not finished it, start again when it has; otherwise copy it again.`,
        { cause },
      );
    } finally {
      await unpacked.close();
    }
  }

  /** @throws UnusableSource if the file cannot be opened */
  async open(): Promise<OpenContent> {
    const { packing } = this;
    if (packing === undefined) return this.bytes.open();
    let at: UnpackedBytes | undefined;
    const read: OpenContent["read"] = async (buffer, { offset, length, position }) => {
      if (at !== undefined && at.offset > position) {
        this.keep(at);
        at = undefined;
      }
      const unpacked = at ?? this.takeBefore(position) ?? new UnpackedBytes(this.bytes, packing);
      // after an error, it is not kept
      at = undefined;
      await unpacked.skipTo(position);
      const bytesRead = await unpacked.readInto(buffer.subarray(offset, offset + length));
      at = unpacked;
      return { bytesRead };
    };
    const close = (): Promise<void> => {
      if (at !== undefined) this.keep(at);
      at = undefined;
      return Promise.resolve();
    };
    return { read, close };
  }

  /** Takes the kept place that is nearest before an offset. */
  private takeBefore(offset: number): UnpackedBytes | undefined {
    const before = [...this.kept.keys()].filter((unpacked) => unpacked.offset <= offset);
    const nearest = before.toSorted((a, b) => b.offset - a.offset)[0];
    if (nearest !== undefined) this.forget(nearest);
    return nearest;
  }

  private keep(unpacked: UnpackedBytes): void {
    const [oldest] = this.kept.keys();
    if (oldest !== undefined && this.kept.size >= keptMax) this.drop(oldest);
    this.kept.set(
      unpacked,
      this.clock.after(keptMs, () => this.drop(unpacked)),
    );
  }

  private forget(unpacked: UnpackedBytes): void {
    this.kept.get(unpacked)?.();
    this.kept.delete(unpacked);
  }

  private drop(unpacked: UnpackedBytes): void {
    this.forget(unpacked);
    void unpacked.close();
  }
}
