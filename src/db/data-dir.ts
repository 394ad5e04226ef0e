import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";
import { tightenFolder } from "../kit/private-files.ts";
import { type DataDirLock, lockDataDir } from "./data-dir-lock.ts";
import { checkDatabaseFiles } from "./database-files.ts";
import { freeMebibytesOf } from "./free-space.ts";

/** A DATA_DIR that this process has locked. */
export interface DataDir {
  /** The directory of the complete database. */
  readonly databaseDir: string;
  /** What other users could do with an existing database, for people; undefined if they could do nothing. */
  readonly notice: string | undefined;
  readonly lock: DataDirLock;
}

/** Locks DATA_DIR for this process, and creates the database if DATA_DIR has none.
 *  DATA_DIR may have other things and other users; the database in it is for this user only.
 *  A database is created under another name and then renamed, so that a process that dies leaves no incomplete database
 *  under the final name.
 *  @param onProgress receives a sentence for people before it begins to create the database, which takes long on a slow machine
 *  @throws DataDirUnusable if another process has locked DATA_DIR, if parts of the database are missing, or if DATA_DIR, the
 *    lock or the database cannot be created or accessed */
export async function openDataDir(dir: string, onProgress: (text: string) => void = () => undefined): Promise<DataDir> {
  const databaseDir = join(dir, "pglite");
  let lock: DataDirLock | undefined;
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    lock = await lockDataDir(dir);
    await removeLeftovers(dir);
    if (!(await readdir(dir)).includes("pglite")) {
      onProgress(`making the database in ${databaseDir}, once: it takes some seconds, or minutes on a slow machine`);
      await createDatabase(dir, databaseDir);
      onProgress(`the database in ${databaseDir} is made`);
    }
    await checkDatabaseFiles(databaseDir);
  } catch (cause) {
    lock?.release();
    if (cause instanceof DataDirUnusable) throw cause;
    throw new DataDirUnusable(`DATA_DIR ${dir} cannot be used: ${(cause as Error).message}`, { cause });
  }
  const notice = tightenFolder(databaseDir);
  return { databaseDir, notice, lock };
}

/** True if DATA_DIR has a database, or cannot be listed. */
export async function mayHaveDatabase(dir: string): Promise<boolean> {
  try {
    return (await readdir(dir)).includes("pglite");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

async function removeLeftovers(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith("pglite.making.")) await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** It has 41 MiB. */
const newDatabaseMebibytes = 48;

/** Creates the database in a child process, because the creation needs almost 500 MB of memory, which a process never
 *  releases. */
async function createDatabase(dir: string, databaseDir: string): Promise<void> {
  const free = await freeMebibytesOf(dir);
  if (free < newDatabaseMebibytes) {
    throw new DataDirUnusable(
      `DATA_DIR ${dir}: a new database takes ${newDatabaseMebibytes} MiB, and the disk has ${free} free: free space or enlarge it`,
    );
  }
  const unfinished = join(dir, `pglite.making.${process.pid}`);
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/make-database.ts`, unfinished], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) {
    // ended by a signal, it has said nothing: Ctrl-C reaches it too, and the kernel kills it where memory is short
    const { signalCode } = child;
    await rm(unfinished, { recursive: true, force: true });
    const memory = signalCode === "SIGKILL" ? ", perhaps because memory is short: it needs 500 MB" : "";
    throw new DataDirUnusable(
      signalCode === null
        ? `DATA_DIR ${dir}: creating the database failed: ${(await new Response(child.stderr).text()).trim()}`
        : `DATA_DIR ${dir}: ${signalCode} ended the creation of the database${memory}. The next start creates it`,
    );
  }
  await rename(unfinished, databaseDir);
}
