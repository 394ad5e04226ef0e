import { mkdir, readdir, readFile, rename, rm, writeFile, link } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";

/** A DATA_DIR that this process has locked. */
export interface DataDir {
  /** The directory of the complete database. */
  readonly databaseDir: string;
  release(): Promise<void>;
}

/** Locks DATA_DIR for this process, and creates the database if DATA_DIR has none.
 *  A database is created under another name and then renamed, so that a process that dies leaves no incomplete database
 *  under the final name.
 *  @throws DataDirUnusable if another process has locked DATA_DIR, or the lock or the database cannot be created */
export async function openDataDir(dir: string): Promise<DataDir> {
  const lock = join(dir, "lock");
  const databaseDir = join(dir, "pglite");
  try {
    await mkdir(dir, { recursive: true });
    await acquireLock(dir, lock);
    await removeLeftovers(dir);
    if (!(await readdir(dir)).includes("pglite")) await createDatabase(dir, databaseDir);
  } catch (cause) {
    if (cause instanceof DataDirUnusable) throw cause;
    throw new DataDirUnusable(`DATA_DIR ${dir} cannot be used: ${(cause as Error).message}`, { cause });
  }
  return { databaseDir, release: () => rm(lock, { force: true }) };
}

/** Identifies a process by `pid start-time`: a later process with the same pid has another start time. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${startTime}`;
}

async function acquireLock(dir: string, lock: string): Promise<void> {
  const ownFile = `${lock}.${process.pid}`;
  await writeFile(ownFile, await identityOf(process.pid));
  try {
    for (;;) {
      // a link appears together with its content, so no process reads an incomplete lock
      const isOurs = await link(ownFile, lock).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return false;
          throw error;
        },
      );
      if (isOurs) return;
      const holder = await readFile(lock, "utf8").catch(() => "");
      const pid = Number(holder.split(" ")[0]);
      if (isAlive(pid) && (await identityOf(pid)) === holder) {
        throw new DataDirUnusable(`DATA_DIR ${dir} is in use by process ${pid}; stop it or choose another DATA_DIR`);
      }
      await rm(lock, { force: true });
    }
  } finally {
    await rm(ownFile, { force: true });
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
    throw new DataDirUnusable(
      `DATA_DIR ${dir}: creating the database failed: ${await new Response(child.stderr).text()}`,
    );
  }
  await rename(unfinished, databaseDir);
}
