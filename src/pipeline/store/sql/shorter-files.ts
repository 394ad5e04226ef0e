import type { SqlClient } from "../../../db/client.ts";
import { freeBytesOf } from "../../../db/file-sizes.ts";
import { fileBytes, moveRows, type RowFile, rowFiles, rowsAtEnd } from "../../../db/sql/move-rows.ts";
import { vacuum } from "../../../db/sql/vacuum.ts";
import { historyTables, liveSizes } from "./oldest-history.ts";

const mebibyte = 1024 ** 2;
/** VACUUM cuts a file if a sixteenth of it, or 8 MiB, is free at its end. A step aims at more, because some of it may be taken again. */
const endShare = 1 / 12;
const endBytes = 10 * mebibyte;
/** Each VACUUM reads all indexes of a table, so a large one is cut in larger pieces. */
const endShareMin = 1 / 256;
/** A file with less free space is not worth a VACUUM. */
const freeBytesMin = 4 * mebibyte;
/** Rows find not all of the free space: some of it is in pieces that are too small for them. */
const spareFactor = 1.25;
/** What one transaction moves: about 100 ms, so that others do not wait long, and less than 16 MiB of the write-ahead log. */
const bytesPerMove = mebibyte;
const rowsPerMove = 2000;

interface Shortening {
  readonly slowClient: SqlClient;
  readonly databaseDir: string;
  /** Whether the files are still too large. */
  readonly isOver: () => boolean;
  /** Of files of which a step has cut nothing off, by their paths, the free space. They are left as they are until they have more. */
  readonly inVain: Map<string, number>;
  /** Runs after each transaction. */
  readonly afterEach: () => Promise<void>;
  /** Writes the figures of free space to the disk, and measures the files. */
  readonly checkpoint: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** A file, and what lies at its end. */
interface Ending {
  readonly file: RowFile;
  readonly freeBytes: number;
  readonly endBytes: number;
}

/** Cuts the free space out of the files of history, in steps that need no more than some MiB for a moment: the rows at the end of a file are
 *  moved into the free space before them, and the end is cut off. It goes on until the files are small enough, or no file has enough free
 *  space. */
export async function shortenFiles(client: SqlClient, task: Shortening): Promise<void> {
  while (task.isOver() && !task.signal.aborted) {
    const ending = await sparsest(client, task);
    if (ending === undefined) return;
    const { file, freeBytes } = ending;
    if (await cutEnd(client, ending, task)) task.inVain.delete(file.path);
    else task.inVain.set(file.path, freeBytes);
  }
}

/** The file with the most free space that has enough for what lies at its end. */
async function sparsest(client: SqlClient, { databaseDir, inVain }: Shortening): Promise<Ending | undefined> {
  const endings = (await rowFiles(client, historyTables)).map((file) => ({
    file,
    freeBytes: freeBytesOf(databaseDir, [file.path]),
    endBytes: Math.max(Math.min(file.bytes * endShare, endBytes), file.bytes * endShareMin),
  }));
  return endings
    .filter(({ file, freeBytes, endBytes }) => {
      const enoughBytes = Math.max(endBytes * spareFactor, (inVain.get(file.path) ?? 0) + freeBytesMin);
      return freeBytes >= enoughBytes;
    })
    .sort((a, b) => b.freeBytes - a.freeBytes)[0];
}

/** @returns whether the file is shorter */
async function cutEnd(client: SqlClient, ending: Ending, task: Shortening): Promise<boolean> {
  const { file, freeBytes } = ending;
  const { table } = file;
  const [size] = await liveSizes(client, task.databaseDir, [table]);
  const rowBytes = Math.max(size?.bytesPerRow ?? 0, 1);
  const places = await rowsAtEnd(task.slowClient, file, ending.endBytes);
  // some rows lie only in part at the end
  if (places.length * rowBytes > freeBytes) return false;
  const perMove = Math.max(1, Math.min(Math.floor(bytesPerMove / rowBytes), rowsPerMove));
  for (let at = 0; at < places.length && !task.signal.aborted; at += perMove) {
    await client.transaction((transaction) => moveRows(transaction, table, places.slice(at, at + perMove)));
    await task.afterEach();
    if ((await fileBytes(client, file)) > file.bytes) break;
  }
  await vacuum(task.slowClient, table);
  await task.checkpoint();
  return (await fileBytes(client, file)) < file.bytes;
}
