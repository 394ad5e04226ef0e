import type { Stats } from "node:fs";

/** A file's inode, size and times. */
export interface FileStatus {
  readonly inode: number;
  readonly sizeBytes: number;
  /** 0 if the file system does not know it. */
  readonly createdMs: number;
  readonly modifiedMs: number;
  /** When the content or the status was last changed; programs cannot set it. */
  readonly changedMs: number;
}

/** The status of a file. */
export function statusOf({ ino, size, birthtimeMs, mtimeMs, ctimeMs }: Stats): FileStatus {
  return { inode: ino, sizeBytes: size, createdMs: birthtimeMs, modifiedMs: mtimeMs, changedMs: ctimeMs };
}

/** True if the content cannot have changed between the two. */
export function isSameStatus(a: FileStatus, b: FileStatus): boolean {
  const { inode, sizeBytes, modifiedMs, changedMs } = a;
  return b.inode === inode && b.sizeBytes === sizeBytes && b.modifiedMs === modifiedMs && b.changedMs === changedMs;
}
