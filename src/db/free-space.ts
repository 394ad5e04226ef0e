import { statfs } from "node:fs/promises";

/** The free space that a transaction of the embedded store needs: two segments of the write-ahead log, 16 MiB each. A batch writes a
 *  few MiB. Without space for the log, PostgreSQL exits, but PGlite loops for ever. */
export const reserveMebibytes = 32;

/** The free space of the disk that a path is on. */
export async function freeMebibytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return Math.floor((bavail * bsize) / 1024 ** 2);
}
