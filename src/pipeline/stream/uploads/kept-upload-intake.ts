import { createHash } from "node:crypto";
import { shortened } from "../../../domain/cut-text.ts";
import { TelemetryError, UploadRefused } from "../../../domain/errors.ts";
import type { Upload } from "../../../domain/upload.ts";
import type { Clock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { retry } from "../../../kit/retry.ts";
import { UnusablePush } from "../../source/push.ts";
import type { SentContent, SentFile, UploadIntake } from "../../source/upload.ts";
import type { ReceivedPart, UploadLimits, UploadReceipt } from "../../store/upload-store.ts";

export interface KeptUploadIntakeOptions {
  readonly contentOf: (file: SentFile) => Promise<SentContent>;
  readonly receipt: UploadReceipt;
  readonly limits: UploadLimits;
  /** The largest upload, as it is sent. */
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Called when a part is stored. */
  readonly onReceived: (bytes: number) => void;
}

/** A store that does not answer is asked again for so long; the sender waits. */
const storeMaxMs = 30_000;
const nameMaxLength = 200;

/** Keeps the bytes of uploads in the store, part by part: a sender is never ahead by more than one part. */
export class KeptUploadIntake implements UploadIntake {
  constructor(private readonly options: KeptUploadIntakeOptions) {}

  async take(file: SentFile, signal: AbortSignal): Promise<{ readonly upload: Upload; readonly isDuplicate: boolean }> {
    const { receipt, limits, contentOf } = this.options;
    const { fileName, bytes } = await contentOf(file);
    const { id } = await receipt.begin({ ...file, fileName: shortened(fileName, nameMaxLength) }, limits);
    try {
      const contentId = await this.receive(id, { ...file, bytes }, signal);
      return await this.retrying(() => receipt.finish(id, contentId), signal);
    } catch (error) {
      const message = error instanceof TelemetryError ? error.message : messageOf(error);
      // if the store does not answer, the upload ends later, because it is silent
      await receipt.end(id, { state: "failed", message }).catch(() => undefined);
      throw error;
    }
  }

  /** @returns an id that follows from the content, and from what its rows are read with */
  private async receive(
    id: string,
    { bytes, clusterId, hostname }: Pick<SentFile, "clusterId" | "hostname"> & Pick<SentContent, "bytes">,
    signal: AbortSignal,
  ): Promise<string> {
    const { receipt, limits, maxBytes, onReceived } = this.options;
    const hash = createHash("sha256").update(JSON.stringify([clusterId, hostname ?? null]));
    const parts = new Parts(receipt.partBytes, async (part) => {
      await this.retrying(() => receipt.add({ id, ...part }, limits), signal);
      onReceived(part.bytes.length);
    });
    let received = 0;
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      received += chunk.length;
      if (received > maxBytes) throw new UnusablePush("too_large", `The file has more than ${maxBytes} bytes`);
      hash.update(chunk);
      await parts.add(chunk);
    }
    if (received === 0) throw new UnusablePush("malformed", "The file is empty; send a table");
    await parts.end();
    return hash.digest("hex").slice(0, 32);
  }

  private retrying<T>(operation: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(storeMaxMs)]);
    // a limit that is reached stays so for longer than a sender waits
    const attempt = (): Promise<T | UploadRefused> =>
      operation().catch((error: unknown) => (error instanceof UploadRefused ? error : Promise.reject(error as Error)));
    const result = retry(attempt, { clock: this.options.clock, signal: until, onRetry: () => undefined });
    return result.then((value) => (value instanceof UploadRefused ? Promise.reject(value) : value));
  }
}

type Part = Pick<ReceivedPart, "number" | "bytes">;

/** Cuts bytes into parts of one size. */
class Parts {
  private readonly buffer: Uint8Array<ArrayBuffer>;
  private filled = 0;
  private number = 0;

  /** @param store called with each part; the bytes are valid until it resolves */
  constructor(
    partBytes: number,
    private readonly store: (part: Part) => Promise<void>,
  ) {
    this.buffer = new Uint8Array(partBytes);
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + this.buffer.length - this.filled);
      this.buffer.set(piece, this.filled);
      this.filled += piece.length;
      at += piece.length;
      if (this.filled === this.buffer.length) await this.end();
    }
  }

  /** Stores what is left. */
  async end(): Promise<void> {
    if (this.filled === 0) return;
    await this.store({ number: this.number, bytes: this.buffer.subarray(0, this.filled) });
    this.number += 1;
    this.filled = 0;
  }
}
