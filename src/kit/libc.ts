import { dlopen, type FFIFunction, read } from "bun:ffi";

const names =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
const [lockExclusive, lockWithoutWaiting] = [2, 4];
const wouldBlock = process.platform === "darwin" ? 35 : 11;
const setParentDeathSignal = 1;
const sigkill = 9;

/** Locks a file for this open file: the kernel's own lock (flock), which holds between all processes of the machine, whatever
 *  their containers and pid namespaces are, and ends when the last process that has the open file closes it or dies. A process
 *  that inherits the open file shares the lock.
 *  @param descriptor an open file
 *  @returns false if another open file has the lock
 *  @throws Error if the file system has no locks
 *  Source: https://man7.org/linux/man-pages/man2/flock.2.html */
export function tryLock(descriptor: number): boolean {
  const { flock } = open({ flock: { args: ["i32", "i32"], returns: "i32" } }).symbols;
  const placeOfError = openPlaceOfError();
  if (flock(descriptor, lockExclusive | lockWithoutWaiting) === 0) return true;
  const place = placeOfError();
  const error = place === null ? wouldBlock : read.i32(place);
  if (error === wouldBlock) return false;
  throw new Error(`the file system refuses a lock (flock, error ${error})`);
}

/** Opened before the call whose error it gives. */
function openPlaceOfError() {
  const place = { args: [], returns: "ptr" } as const;
  return process.platform === "darwin"
    ? open({ __error: place }).symbols.__error
    : open({ __errno_location: place }).symbols.__errno_location;
}

/** Lets the kernel kill this process when the process that started it dies, however that dies. Only Linux can: elsewhere, nothing
 *  happens.
 *  Source: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html */
export function endWithParent(): void {
  if (process.platform !== "linux") return;
  const libc = open({ prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } });
  libc.symbols.prctl(setParentDeathSignal, sigkill, 0, 0, 0);
}

/** Lets the kernel end this process after some seconds (SIGALRM), whatever it does then: timers and signal handlers do not run in a process
 *  whose JavaScript never pauses. Without a C library, nothing happens.
 *  Source: https://man7.org/linux/man-pages/man2/alarm.2.html */
export function endAfter(seconds: number): void {
  try {
    open({ alarm: { args: ["u32"], returns: "u32" } }).symbols.alarm(Math.ceil(seconds));
  } catch {
    // a process that does end needs no limit
  }
}

function open<Symbols extends Record<string, FFIFunction>>(symbols: Symbols) {
  for (const name of names) {
    try {
      return dlopen(name, symbols);
    } catch {
      // another C library
    }
  }
  throw new Error(`no C library can be loaded: ${names.join(", ")}`);
}
