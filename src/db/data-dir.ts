import { mkdir, readdir, readFile, rename, rm, writeFile, link } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";

/** A DATA_DIR that this process holds. */
export interface DataDir {
  /** The database's directory; complete, never half made. */
  readonly databaseDir: string;
  release(): Promise<void>;
}

/** Takes DATA_DIR for this process, and makes the database in it where there is none.
 *  A database is made aside and renamed into place, so that a kill leaves none or a whole one.
 *  @throws DataDirUnusable where another process holds it or it cannot be written */
export async function openDataDir(dir: string): Promise<DataDir> {
  const lock = join(dir, "lock");
  try {
    await mkdir(dir, { recursive: true });
    await takeLock(dir, lock);
  } catch (cause) {
    if (cause instanceof DataDirUnusable) throw cause;
    throw new DataDirUnusable(`DATA_DIR ${dir} cannot be used: ${(cause as Error).message}`, { cause });
  }
  const databaseDir = join(dir, "pglite");
  await removeLeftovers(dir);
  if (!(await readdir(dir)).includes("pglite")) await makeDatabase(dir, databaseDir);
  return { databaseDir, release: () => rm(lock, { force: true }) };
}

/** `pid start-time`: a pid that was given to another program since is not mistaken for the holder. */
async function holderOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${startTime}`;
}

async function takeLock(dir: string, lock: string): Promise<void> {
  const mine = `${lock}.${process.pid}`;
  await writeFile(mine, await holderOf(process.pid));
  try {
    for (;;) {
      // A link is made or not made, with its content: nobody ever reads half a lock.
      const taken = await link(mine, lock).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === "EEXIST") return false;
          throw error;
        },
      );
      if (taken) return;
      const holder = await readFile(lock, "utf8").catch(() => "");
      const pid = Number(holder.split(" ")[0]);
      if (isAlive(pid) && (await holderOf(pid)) === holder) {
        throw new DataDirUnusable(`DATA_DIR ${dir} is in use by process ${pid}; stop it or choose another DATA_DIR`);
      }
      await rm(lock, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
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

/** Makes the database in a process of its own: making one leaves 700 MB and more in the memory of whoever does it. */
async function makeDatabase(dir: string, databaseDir: string): Promise<void> {
  const making = join(dir, `pglite.making.${process.pid}`);
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/make-database.ts`, making], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  if ((await child.exited) !== 0) {
    throw new DataDirUnusable(`DATA_DIR ${dir}: no database could be made: ${await new Response(child.stderr).text()}`);
  }
  await rename(making, databaseDir);
}
