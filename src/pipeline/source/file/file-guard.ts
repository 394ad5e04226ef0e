import { stat } from "node:fs/promises";
import { UnusableSource } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { fingerprint, openForReading } from "./open-file.ts";

export interface FileGuardOptions {
  readonly path: string;
  /** The file's inode when it was opened. */
  readonly inode: number;
  /** The file's size when it was opened. */
  readonly sizeBytes: number;
  /** Made from the file's head and size when it was opened. */
  readonly fingerprint: string;
  /** Called at most once: when the file has grown. */
  readonly onGrown: (message: string) => void;
}

/** A file's inode, size and times. */
export interface FileStatus {
  readonly inode: number;
  readonly sizeBytes: number;
  /** 0 if the file system does not know it. */
  readonly createdMs: number;
  readonly modifiedMs: number;
}

/** Detects that a file grows, or is shortened, deleted or replaced, while it is read. Growth is only reported: the next start, or
 *  the next round in LOOP_MODE, reads the grown file as another source. The other changes end the reading.
 *
 *  The guard does not detect that bytes after the first 64 KiB are overwritten in place. */
export class FileGuard {
  /** The status at the last check that passed. */
  private lastStatus: FileStatus | undefined;
  private hasGrown = false;

  constructor(private readonly options: FileGuardOptions) {}

  /** Reads the file's status (about 20 us), and the file's head at the first check and whenever the status has changed.
   *  @returns the status
   *  @throws UnusableSource if the file was shortened, deleted or replaced, or cannot be read */
  async check(): Promise<FileStatus> {
    const status = await this.readStatus();
    if (this.lastStatus !== undefined && isSame(status, this.lastStatus)) return status;
    const { path, inode, sizeBytes } = this.options;
    if (status.inode !== inode) throw wasReplaced(path);
    if (status.sizeBytes < sizeBytes) {
      throw new UnusableSource(
        `${path} became shorter after it was opened: it had ${sizeBytes} bytes and now has ${status.sizeBytes}. Put the whole file back and start again.`,
      );
    }
    await this.checkHead();
    if (status.sizeBytes > sizeBytes) this.reportGrowth(status.sizeBytes - sizeBytes);
    this.lastStatus = status;
    return status;
  }

  private async readStatus(): Promise<FileStatus> {
    const { path } = this.options;
    try {
      const { ino, size, birthtimeMs, mtimeMs } = await stat(path);
      return { inode: ino, sizeBytes: size, createdMs: birthtimeMs, modifiedMs: mtimeMs };
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  private async checkHead(): Promise<void> {
    const { path, sizeBytes, fingerprint: expected } = this.options;
    const file = await openForReading(path);
    try {
      if ((await fingerprint(file, sizeBytes)) !== expected) throw wasReplaced(path);
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
      `${this.options.path} has grown by ${bytes} bytes since it was opened; rows that begin in these bytes are not read. The next start, or the next round in LOOP_MODE, reads the whole file again, as another source.`,
    );
  }
}

function isSame(a: FileStatus, b: FileStatus): boolean {
  return a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs;
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
