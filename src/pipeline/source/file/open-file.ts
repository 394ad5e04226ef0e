import { createHash } from "node:crypto";
import { type FileHandle, open, stat } from "node:fs/promises";
import { UnusableSource } from "../../../domain/errors.ts";

/** As much of a file's beginning is in its fingerprint. */
export const fingerprintMaxBytes = 64 * 1024;

/** Opens a file for reading. @throws UnusableSource saying why it cannot be opened */
export async function openForReading(path: string): Promise<FileHandle> {
  try {
    const stats = await stat(path); // checked first, because opening a pipe would wait for its writer
    if (stats.isFile()) return await open(path, "r");
    throw new UnusableSource(
      `${path} is ${stats.isDirectory() ? "a directory" : "not a regular file"}; set CSV_FILE to a file.`,
    );
  } catch (cause) {
    throw cause instanceof UnusableSource ? cause : new UnusableSource(whyNotOpened(path, cause), { cause });
  }
}

/** Identifies a file by its first 64 KiB and its size.
 *  @param sizeBytes the size of the content: bytes after it are ignored */
export async function fingerprint(file: FileHandle, sizeBytes: number): Promise<string> {
  const head = Buffer.alloc(Math.min(sizeBytes, fingerprintMaxBytes));
  let filled = 0;
  for (let bytesRead = -1; filled < head.length && bytesRead !== 0; filled += bytesRead) {
    ({ bytesRead } = await file.read(head, filled, head.length - filled, filled));
  }
  const hash = createHash("sha256").update(head.subarray(0, filled)).update(String(sizeBytes));
  return hash.digest("hex").slice(0, 16);
}

function whyNotOpened(path: string, cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return `${path} does not exist; check the path.`;
  if (code === "EACCES" || code === "EPERM")
    return `${path} is not readable by this user; grant the user the right to read it.`;
  return `${path} cannot be opened: ${(cause as Error).message}`;
}
