import { existsSync, readFileSync } from "node:fs";

/** @returns the end of a log, for an error message */
export function lastLines(file: string, count = 20): string {
  if (!existsSync(file)) return "(no log)";
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}
