import { existsSync } from "node:fs";
import { join } from "node:path";

const reported = new Set<string>();
// `bun test` sets it
const isTestRun = process.env["NODE_ENV"] === "test";
const shared = join(import.meta.dir, "../../../shared");

/** Looks for a file in the folder `shared` next to the checkout. That folder is not a part of the project. If the file is missing,
 *  a test run is warned once that the tests that read the file are skipped; other programs, such as test/fuzz/run.ts, skip none.
 *  @returns the file's path; undefined when the file is missing, for `test.skipIf` */
export function sharedFile(...segments: string[]): string | undefined {
  const path = join(shared, ...segments);
  if (existsSync(path)) return path;
  if (isTestRun && !reported.has(path)) console.warn(`skipped: the tests that read ${path}, which does not exist`);
  reported.add(path);
  return undefined;
}

/** A file of the folder `shared/data`; see `sharedFile`. */
export const sharedData = (...segments: string[]): string | undefined => sharedFile("data", ...segments);
