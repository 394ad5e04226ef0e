import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";
import { systemClock } from "../kit/clock.ts";
import { tryLock } from "../kit/libc.ts";

/** The lock of a DATA_DIR. */
export interface DataDirLock {
  /** The open file that has the lock. A process that inherits it keeps the lock after this process has died. */
  readonly descriptor: number;
  release(): void;
}

/** When a process is killed, its database's process ends a moment later. */
const attempts = 15;
const attemptEveryMs = 100;

/** Locks DATA_DIR, with the kernel's lock on its file `lock`. The file stays when the lock is released: a process that waits may
 *  have opened it. Its content is the process that has the lock, `pid start-time`, for messages and for versions of this program
 *  that know no other lock.
 *  @throws DataDirUnusable if another process has locked it; an error of the file system */
export async function lockDataDir(dir: string): Promise<DataDirLock> {
  const path = join(dir, "lock");
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (attempt > 0) await systemClock.sleep(attemptEveryMs);
    const lock = await attemptLock(dir, path);
    if (lock !== undefined) return lock;
  }
  throw inUse(dir, "a process of another container or machine, or by one that is about to end");
}

/** @returns undefined if a process that this one does not see, or that has died, has the lock */
async function attemptLock(dir: string, path: string): Promise<DataDirLock | undefined> {
  // not through a link: the file is overwritten
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  let isLocked = false;
  try {
    const isFree = tryLock(descriptor);
    const holder = readFileSync(descriptor, "utf8");
    if (await isRunning(holder, isFree ? process.pid : undefined)) throw inUse(dir, `process ${holder.split(" ")[0]}`);
    isLocked = isFree && isAt(path, descriptor);
    if (!isLocked) return undefined;
    overwrite(descriptor, await identityOf(process.pid));
    return { descriptor, release: () => release(descriptor) };
  } finally {
    if (!isLocked) closeSync(descriptor);
  }
}

function release(descriptor: number): void {
  overwrite(descriptor, "");
  closeSync(descriptor);
}

function overwrite(descriptor: number, text: string): void {
  ftruncateSync(descriptor);
  writeSync(descriptor, text, 0);
}

/** False if an earlier version of this program has replaced the file meanwhile. */
function isAt(path: string, descriptor: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
}

function inUse(dir: string, by: string): DataDirUnusable {
  return new DataDirUnusable(`DATA_DIR ${dir} is in use by ${by}; stop it or choose another DATA_DIR`);
}

/** True if the process that wrote `identity` runs, as far as this process sees others.
 *  @param other a pid that does not count */
async function isRunning(identity: string, other?: number): Promise<boolean> {
  const pid = Number(identity.split(" ")[0]);
  return Number.isInteger(pid) && pid > 0 && pid !== other && (await identityOf(pid)) === identity;
}

/** Identifies a process by `pid start-time`: a later process with the same pid has another start time. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return `${pid} ${startTime}`;
}
