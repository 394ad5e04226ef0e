import { mkdir, readdir, readFile, rename, rm, writeFile, link } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";
import { tightenFolder } from "../kit/private-files.ts";

/** A DATA_DIR that this process has locked. */
export interface DataDir {
  /** The directory of the complete database. */
  readonly databaseDir: string;
  /** What other users could do with an existing database, for people; undefined if they could do nothing. */
  readonly notice: string | undefined;
  release(): Promise<void>;
}

/** Locks DATA_DIR for this process, and creates the database if DATA_DIR has none.
 *  DATA_DIR may have other things and other users; the database in it is for this user only.
 *  A database is created under another name and then renamed, so that a process that dies leaves no incomplete database
 *  under the final name.
 *  @throws DataDirUnusable if another process has locked DATA_DIR, or if DATA_DIR, the lock or the database cannot be
 *    created or accessed */
export async function openDataDir(dir: string): Promise<DataDir> {
  const lock = join(dir, "lock");
  const databaseDir = join(dir, "pglite");
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await acquireLock(dir, lock);
    await removeLeftovers(dir);
    if (!(await readdir(dir)).includes("pglite")) await createDatabase(dir, databaseDir);
  } catch (cause) {
    if (cause instanceof DataDirUnusable) throw cause;
    throw new DataDirUnusable(`DATA_DIR ${dir} cannot be used: ${(cause as Error).message}`, { cause });
  }
  const notice = tightenFolder(databaseDir);
  return { databaseDir, notice, release: () => rm(lock, { force: true }) };
}

/** True if DATA_DIR has a database, or cannot be listed. */
export async function mayHaveDatabase(dir: string): Promise<boolean> {
  try {
    return (await readdir(dir)).includes("pglite");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** Identifies a process by `pid start-time`: a later process with the same pid has another start time. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${startTime}`;
}

/** Locks `lock` for this process, even if a process that died has left it locked.
 *  @throws DataDirUnusable if another process has locked it; an error of the file system */
async function acquireLock(dir: string, lock: string): Promise<void> {
  const ownFile = `${lock}.${process.pid}`;
  // files that a process with the same pid left may be second names of the lock: they must not be overwritten
  for (const left of [ownFile, `${ownFile}.new`]) await rm(left, { force: true });
  await writeFile(ownFile, await identityOf(process.pid), { mode: 0o600 });
  try {
    await acquire(dir, lock, ownFile);
  } finally {
    await rm(ownFile, { force: true });
  }
}

async function acquire(dir: string, lock: string, ownFile: string): Promise<void> {
  // a link appears together with its content, so no process reads an incomplete lock
  while (
    !(await unless(
      "EEXIST",
      link(ownFile, lock).then(() => true),
    ))
  ) {
    const holder = await unless("ENOENT", readFile(lock, "utf8"));
    if (holder === undefined) continue;
    const pid = Number(holder.split(" ")[0]);
    if (isAlive(pid) && (await identityOf(pid)) === holder) {
      throw new DataDirUnusable(`DATA_DIR ${dir} is in use by process ${pid}; stop it or choose another DATA_DIR`);
    }
    // A second lock guards the replacement of the stale lock. Otherwise, a process that read the stale lock could remove
    // the new lock of a faster process. A stale second lock is replaced in the same way.
    const secondLock = `${lock}.after-${holder.replace(/\W+/g, "-").slice(0, 40)}`;
    await acquire(dir, secondLock, ownFile);
    try {
      if ((await unless("ENOENT", readFile(lock, "utf8"))) !== holder) continue;
      await link(ownFile, `${ownFile}.new`);
      await rename(`${ownFile}.new`, lock);
      return;
    } finally {
      await rm(secondLock, { force: true });
    }
  }
}

/** The result of the operation; undefined if it fails with this code. */
async function unless<T>(code: string, operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function removeLeftovers(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith("pglite.making.")) await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** Creates the database in a child process, because the creation needs more than 700 MB of memory, which a process never
 *  releases. */
async function createDatabase(dir: string, databaseDir: string): Promise<void> {
  const unfinished = join(dir, `pglite.making.${process.pid}`);
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/make-database.ts`, unfinished], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) {
    // ended by a signal, it has said nothing: Ctrl-C reaches it too, and the kernel kills it where memory is short
    const ended =
      child.signalCode && `${child.signalCode} ended it; it needs 700 MB of memory, and the next start tries again`;
    throw new DataDirUnusable(
      `DATA_DIR ${dir}: creating the database failed: ${ended ?? (await new Response(child.stderr).text())}`,
    );
  }
  await rename(unfinished, databaseDir);
}
