import { closeSync, copyFileSync, fstatSync, openSync, readSync, statSync, truncateSync } from "node:fs";

/** The end of a log that is searched for the reason of an exit. */
const tailBytes = 16 * 1024;

/** @returns 0 if there is no such file */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** Keeps a log small: copies it to `{path}.1` and empties it. Processes write to it meanwhile, at its end; what they write
 *  between the two steps, a moment, is lost.
 *  @returns true if the log was emptied */
export function rotateLog(path: string, maxBytes: number): boolean {
  if (sizeOf(path) < maxBytes) return false;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  return true;
}

/** The reason that a process gave in its log before it failed: its last line about an error, or its last line if no line is about an error.
 *  @param offset where the log of this process begins
 *  @returns undefined if the process wrote nothing */
export function lastWords(path: string, offset: number): string | undefined {
  return lastErrorLine(path, offset) ?? plainIn(linesOf(path, offset)).at(-1);
}

/** The last line about an error that a process wrote to its log.
 *  @param offset where the log of this process begins
 *  @returns undefined if there is none */
export function lastErrorLine(path: string, offset: number): string | undefined {
  const lines = linesOf(path, offset);
  const logged = lines.flatMap((line) => errorMessage(line) ?? []);
  return logged.at(-1) ?? plainIn(lines).findLast((line) => /error|cannot|refused|failed/i.test(line));
}

function linesOf(path: string, offset: number): readonly string[] {
  return tailOf(path, offset)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const plainIn = (lines: readonly string[]): readonly string[] => lines.filter((line) => !line.startsWith("{"));

function errorMessage(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { level?: unknown; msg?: unknown };
    return (entry.level === "error" || entry.level === "fatal") && typeof entry.msg === "string"
      ? entry.msg
      : undefined;
  } catch {
    return undefined;
  }
}

function tailOf(path: string, offset: number): string {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      // a log that is shorter than it was has been emptied since
      const from = Math.max(offset <= size ? offset : 0, size - tailBytes);
      const bytes = Buffer.alloc(size - from);
      return bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, from));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
