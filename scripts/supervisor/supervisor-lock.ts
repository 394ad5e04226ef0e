import { Database } from "bun:sqlite";

/** A lock that this process has. */
export interface Lock {
  close(): void;
}

/** Takes the lock that only one process at a time can have. The kernel releases it when the process ends, however it ends; a file
 *  that is left behind means nothing.
 *  @returns the lock, to be closed at the end; undefined if another process has it
 *  @throws Error with a sentence for people */
export function takeLock(path: string): Lock | undefined {
  try {
    const lock = new Database(path);
    lock.run("begin exclusive");
    return lock;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "SQLITE_BUSY") return undefined;
    throw new Error(`cannot lock ${path}: ${message}`, { cause });
  }
}
