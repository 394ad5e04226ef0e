import type { Logger } from "pino";
import { UnusableSource } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { isRetryable } from "../../../kit/retry.ts";
import type { ReadableUpload, UploadWork } from "../../store/upload-store.ts";
import type { SourceStream } from "../source-stream.ts";
import { type OpenedUpload, UploadReading, type UploadReadingOptions } from "./upload-reading.ts";

export interface UploadStreamOptions extends Omit<UploadReadingOptions, "work"> {
  readonly work: UploadWork;
  /** @throws UnusableSource */
  readonly open: (upload: ReadableUpload, readPart: (number: number) => Promise<Uint8Array>) => Promise<OpenedUpload>;
  readonly log: Logger;
}

/** How often the store is asked for uploads. */
const pollMs = 1000;

/** Reads uploads, together with the same streams of other processes: each reads ranges that no other one has. Clients take turns, and a
 *  turn is a range, so that a large upload delays the small ones of others by seconds. */
export class UploadStream implements SourceStream {
  private readonly open = new Map<string, UploadReading>();

  constructor(private readonly options: UploadStreamOptions) {}

  get share(): number {
    return this.open.size;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { work, retries, clock } = this.options;
    while (!signal.aborted) {
      const uploads = await retries.retrying(() => work.readable(), signal);
      await this.closeEnded(uploads);
      if (!(await this.round(uploads, signal))) await clock.sleep(pollMs, signal);
    }
  }

  async close(): Promise<void> {
    for (const [id, reading] of this.open) {
      this.open.delete(id);
      await reading
        .close(false)
        .catch((error: unknown) => this.options.log.warn({ err: error }, "a range stays claimed"));
    }
  }

  /** Gives each client a turn. @returns false if no upload can be read now */
  private async round(uploads: readonly ReadableUpload[], signal: AbortSignal): Promise<boolean> {
    const byClient = Map.groupBy(uploads, ({ client }) => client);
    let hasRead = false;
    for (const own of byClient.values()) {
      for (const upload of own) {
        if (signal.aborted) return hasRead;
        // the next upload of the client, if other processes read this one, or all of it is read
        if (!(await this.turnOf(upload, signal))) continue;
        hasRead = true;
        break;
      }
    }
    return hasRead;
  }

  private async turnOf(upload: ReadableUpload, signal: AbortSignal): Promise<boolean> {
    try {
      const reading = this.open.get(upload.id) ?? (await this.opened(upload, signal));
      return await reading.turn(signal);
    } catch (error) {
      if (signal.aborted || isRetryable(error)) return false;
      await this.fail(upload, error, signal);
      return true;
    }
  }

  private async opened(upload: ReadableUpload, signal: AbortSignal): Promise<UploadReading> {
    const { work, retries } = this.options;
    // the size of a packed table is counted, which takes a while
    const { contentBytes, progress } = upload;
    await retries.retrying(() => work.progressed(upload.id, { contentBytes, progress }), signal);
    const readPart = (number: number): Promise<Uint8Array> =>
      retries.retrying(() => work.part(upload.id, number), signal);
    const reading = new UploadReading(await this.options.open(upload, readPart), this.options);
    this.open.set(upload.id, reading);
    return reading;
  }

  private async fail(upload: ReadableUpload, error: unknown, signal: AbortSignal): Promise<void> {
    const { work, retries, log } = this.options;
    if (!(error instanceof UnusableSource)) log.error({ err: error, upload: upload.id }, "an upload cannot be read");
    const message = messageOf(error);
    await retries.retrying(() => work.end(upload.id, { state: "failed", message }), signal);
  }

  private async closeEnded(uploads: readonly ReadableUpload[]): Promise<void> {
    const left = new Set(uploads.map(({ id }) => id));
    for (const [id, reading] of this.open) {
      if (left.has(id)) continue;
      this.open.delete(id);
      await reading.close(true).catch((error: unknown) => this.options.retries.record(error));
    }
  }
}
