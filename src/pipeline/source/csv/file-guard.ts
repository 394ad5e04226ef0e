import { stat } from "node:fs/promises";
import { UnusableSource } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { fingerprint, openForReading } from "./open-csv.ts";

export interface FileGuardOptions {
  readonly path: string;
  /** The file's inode when it was opened. */
  readonly inode: number;
  /** Bytes that the file had when it was opened, and the fingerprint of its head. */
  readonly sizeBytes: number;
  readonly fingerprint: string;
  /** Told once, when the file has grown. */
  readonly onGrown: (message: string) => void;
}

interface Look {
  readonly inode: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Notices that a file grows or is replaced while it is read. What was appended is another content, to be read by the next
 *  start; what was replaced can no longer be read at all.
 *
 *  A file that is written over in place, with as many bytes and the same first 64 KiB, is not told from the old one. */
export class FileGuard {
  /** The last look at which all was well. */
  private lastGood: Look | undefined;
  private hasGrown = false;

  constructor(private readonly options: FileGuardOptions) {}

  /** Costs a look at the directory entry (some 20 us), and a look at the file's head where that has changed.
   *  @throws UnusableSource when the file is shorter, gone or another one */
  async check(): Promise<void> {
    const look = await this.look();
    if (this.lastGood !== undefined && isSame(look, this.lastGood)) return;
    const { path, inode, sizeBytes } = this.options;
    if (look.inode !== inode) throw wasReplaced(path);
    if (look.sizeBytes < sizeBytes) {
      throw new UnusableSource(
        `${path} became shorter since it was opened: it had ${sizeBytes} bytes and now has ${look.sizeBytes}. Put the whole file back and start again.`,
      );
    }
    await this.checkHead();
    if (look.sizeBytes > sizeBytes) this.tellGrown(look.sizeBytes - sizeBytes);
    this.lastGood = look;
  }

  private async look(): Promise<Look> {
    const { path } = this.options;
    try {
      const { ino, size, mtimeMs } = await stat(path);
      return { inode: ino, sizeBytes: size, modifiedMs: mtimeMs };
    } catch (cause) {
      const isGone = (cause as NodeJS.ErrnoException).code === "ENOENT";
      const what = isGone ? "is gone since it was opened" : `can no longer be looked at (${messageOf(cause)})`;
      throw new UnusableSource(`${path} ${what}: what was read stays. Put it back and start again.`, { cause });
    }
  }

  private async checkHead(): Promise<void> {
    const { path, sizeBytes, fingerprint: expected } = this.options;
    const file = await openForReading(path);
    try {
      if ((await fingerprint(file, sizeBytes)) !== expected) throw wasReplaced(path);
    } finally {
      await file.close();
    }
  }

  private tellGrown(bytes: number): void {
    if (this.hasGrown) return;
    this.hasGrown = true;
    this.options.onGrown(
      `${this.options.path} has grown by ${bytes} bytes since it was opened: they are not read. The next start reads the file anew, as a source of its own.`,
    );
  }
}

function isSame(a: Look, b: Look): boolean {
  return a.inode === b.inode && a.sizeBytes === b.sizeBytes && a.modifiedMs === b.modifiedMs;
}

function wasReplaced(path: string): UnusableSource {
  return new UnusableSource(
    `${path} was replaced while it was read: what was read of the old content stays. Start again to read the new content, as a source of its own.`,
  );
}
