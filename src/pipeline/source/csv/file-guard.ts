import { stat } from "node:fs/promises";
import { UnusableSource } from "../../../domain/errors.ts";
import { fingerprint, openForReading } from "./open-csv.ts";

export interface FileGuardOptions {
  readonly path: string;
  /** Bytes that the file had when it was opened, and the fingerprint of its head. */
  readonly sizeBytes: number;
  readonly fingerprint: string;
  /** Told once, when the file has grown. */
  readonly onGrown: (message: string) => void;
}

/** Notices that a file grows or is replaced while it is read. What was appended is another content, to be read by the next
 *  start; what was replaced can no longer be read at all. */
export class FileGuard {
  private lastSeen = "";
  private hasGrown = false;

  constructor(private readonly options: FileGuardOptions) {}

  /** Costs a look at the directory entry, and a look at the file's head where that has changed.
   *  @throws UnusableSource when the file is shorter, gone or another one */
  async check(): Promise<void> {
    const { path, sizeBytes } = this.options;
    const { ino, size, mtimeMs } = await stat(path).catch((cause: unknown) => {
      throw new UnusableSource(`${path} is gone since it was opened; put it back and start again.`, { cause });
    });
    const seen = `${ino}:${size}:${mtimeMs}`;
    if (seen === this.lastSeen) return;
    this.lastSeen = seen;
    if (size < sizeBytes) {
      throw new UnusableSource(
        `${path} became shorter since it was opened: it had ${sizeBytes} bytes and now has ${size}. Put the whole file back and start again.`,
      );
    }
    await this.checkHead();
    if (size > sizeBytes) this.tellGrown(size - sizeBytes);
  }

  private async checkHead(): Promise<void> {
    const { path, sizeBytes, fingerprint: expected } = this.options;
    const file = await openForReading(path);
    try {
      if ((await fingerprint(file, sizeBytes)) === expected) return;
    } finally {
      await file.close();
    }
    throw new UnusableSource(
      `${path} was replaced while it was read: what was read of the old content stays. Start again to read the new content, as a source of its own.`,
    );
  }

  private tellGrown(bytes: number): void {
    if (this.hasGrown) return;
    this.hasGrown = true;
    this.options.onGrown(
      `${this.options.path} has grown by ${bytes} bytes since it was opened: they are not read. The next start reads the file anew, as a source of its own.`,
    );
  }
}
