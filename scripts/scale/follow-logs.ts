import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { sizeOf } from "../supervisor/log-file.ts";
import { printableLine } from "./printable-line.ts";

const pauseMs = 200;
/** How much of each log is shown at the beginning. */
const firstLines = 10;
const firstBytes = 8 * 1024;
const chunkBytes = 256 * 1024;

export interface FollowOptions {
  /** The folder of the logs. */
  readonly folder: string;
  readonly print: (line: string) => void;
  /** True if nothing runs that could write to the logs. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Prints the last lines of each log of a folder and what is added to them, each line behind the name of its log, until the signal
 *  aborts or nothing can be added any more. Logs that are new, and logs that were emptied, are read from their beginning. */
export async function followLogs({ folder, print, isOver, signal }: FollowOptions): Promise<void> {
  const followed = new Map<string, FollowedLog>();
  let isFirst = true;
  let wasOver = false;
  while (!signal.aborted && !wasOver) {
    // what was written before the end is still read
    wasOver = await isOver();
    for (const file of logNames(folder)) {
      const log = followed.get(file) ?? new FollowedLog(join(folder, file), isFirst);
      followed.set(file, log);
      const name = file.slice(0, -".log".length);
      for (const line of log.read()) print(`${name.padEnd(12)} | ${printableLine(line)}`);
    }
    isFirst = false;
    if (!wasOver) await Bun.sleep(pauseMs);
  }
}

/** The names of a folder's logs; empty if there is no such folder. */
export function logNames(folder: string): readonly string[] {
  try {
    const order = new Intl.Collator("en", { numeric: true });
    return readdirSync(folder)
      .filter((file) => file.endsWith(".log"))
      .sort(order.compare);
  } catch {
    return [];
  }
}

/** A log that grows. */
class FollowedLog {
  private offset: number;
  private rest = "";
  private decoder = new StringDecoder("utf8");
  private shownLines: number;

  constructor(
    private readonly path: string,
    showsEnd: boolean,
  ) {
    this.offset = showsEnd ? Math.max(0, sizeOf(path) - firstBytes) : 0;
    this.shownLines = showsEnd ? firstLines : Infinity;
  }

  /** @returns the lines that are new */
  read(): readonly string[] {
    const size = sizeOf(this.path);
    if (size < this.offset) this.restart();
    const isCut = this.offset > 0 && this.shownLines !== Infinity;
    let text = "";
    while (this.offset < size) text += this.readChunk(size);
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    const whole = isCut ? lines.slice(1) : lines;
    const shown = whole.slice(-this.shownLines);
    this.shownLines = Infinity;
    return shown.filter((line) => line !== "");
  }

  private readChunk(size: number): string {
    const bytes = Buffer.alloc(Math.min(chunkBytes, size - this.offset));
    const file = openSync(this.path, "r");
    try {
      const count = readSync(file, bytes, 0, bytes.length, this.offset);
      // the log was emptied after its size was read
      this.offset = count === 0 ? size : this.offset + count;
      return this.decoder.write(bytes.subarray(0, count));
    } finally {
      closeSync(file);
    }
  }

  private restart(): void {
    this.offset = 0;
    this.rest = "";
    this.decoder = new StringDecoder("utf8");
  }
}
