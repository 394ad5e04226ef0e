import { existsSync, readFileSync } from "node:fs";

/** @returns the last lines of a log, for an error message; `(no log)` if the file does not exist */
export function lastLines(file: string, count = 20): string {
  if (!existsSync(file)) return "(no log)";
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}
