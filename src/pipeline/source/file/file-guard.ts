import { stat } from "node:fs/promises";
import { UnusableSource } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { contentDigest } from "./content-digest.ts";
import type { SeenFile } from "./file-look.ts";
import { type FileStatus, isSameStatus, statusOf } from "./file-status.ts";
import { fingerprint, openForReading } from "./open-file.ts";

export interface FileGuardOptions {
  /** The file when it was opened. */
  readonly seen: Pick<SeenFile, "path" | "status" | "fingerprint" | "digest">;
  /** Called at most once: when the file has grown. */
  readonly onGrown: (message: string) => void;
}

/** Detects that a file grows, or is shortened, deleted or replaced, while it is read. Growth is only reported: the next start, or
 *  the next round in LOOP_MODE, reads the grown file as another source. The other changes end the reading.
 *
 *  In a file that grows, only the first 64 KiB are compared again; in one that has been written to without growing, all bytes are. */
export class FileGuard {
  /** The status at the last check that passed. */
  private lastStatus: FileStatus;
  private hasGrown = false;

  constructor(private readonly options: FileGuardOptions) {
    this.lastStatus = options.seen.status;
  }

  /** Reads the file's status (about 20 us), and the file itself whenever the status has changed.
   *  @returns the status
   *  @throws UnusableSource if the file was shortened, deleted or replaced, or cannot be read */
  async check(): Promise<FileStatus> {
    const status = await this.readStatus();
    if (isSameStatus(status, this.lastStatus)) return status;
    const { path } = this.options.seen;
    const { inode, sizeBytes } = this.options.seen.status;
    if (status.inode !== inode) throw wasReplaced(path);
    if (status.sizeBytes < sizeBytes) {
      throw new UnusableSource(
        `${path} became shorter after it was opened: it had ${sizeBytes} bytes and now has ${status.sizeBytes}. Put the whole file back and start again.`,
      );
    }
    await this.checkContent(status.sizeBytes > sizeBytes);
    if (status.sizeBytes > sizeBytes) this.reportGrowth(status.sizeBytes - sizeBytes);
    this.lastStatus = status;
    return status;
  }

  private async readStatus(): Promise<FileStatus> {
    const { path } = this.options.seen;
    try {
      return statusOf(await stat(path));
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  private async checkContent(hasGrown: boolean): Promise<void> {
    const { path, status, fingerprint: expected, digest } = this.options.seen;
    const { sizeBytes } = status;
    const file = await openForReading(path);
    try {
      if ((await fingerprint(file, sizeBytes)) !== expected) throw wasReplaced(path);
      if (hasGrown || digest === undefined) return;
      if ((await contentDigest(file, sizeBytes)) !== digest) throw wasReplaced(path);
    } catch (cause) {
      throw cause instanceof UnusableSource ? cause : unreadable(path, cause);
    } finally {
      await file.close();
    }
  }

  private reportGrowth(bytes: number): void {
    if (this.hasGrown) return;
    this.hasGrown = true;
    this.options.onGrown(
      `${this.options.seen.path} has grown by ${bytes} bytes since it was opened; rows that begin in these bytes are not read. The next start, or the next round in LOOP_MODE, reads the whole file again, as another source.`,
    );
  }
}

function unreadable(path: string, cause: unknown): UnusableSource {
  const isGone = (cause as NodeJS.ErrnoException).code === "ENOENT";
  const change = isGone ? "was deleted after it was opened" : `can no longer be read (${messageOf(cause)})`;
  return new UnusableSource(`${path} ${change}. The rows read so far are kept; put the file back and start again.`, {
    cause,
  });
}

function wasReplaced(path: string): UnusableSource {
  return new UnusableSource(
    `${path} was replaced while it was read. The rows read from the old content are kept; start again to read the new content, as another source.`,
  );
}
