import { existsSync } from "node:fs";
import { join } from "node:path";

const reported = new Set<string>();
const shared = join(import.meta.dir, "../../../shared");

/** Looks for a file in the folder `shared` next to the checkout. That folder is not a part of the project. If the file is missing,
 *  a warning reports once that the tests that read the file are skipped.
 *  @returns the file's path; undefined when the file is missing, for `test.skipIf` */
export function sharedFile(...segments: string[]): string | undefined {
  const path = join(shared, ...segments);
  if (existsSync(path)) return path;
  if (!reported.has(path)) console.warn(`skipped: the tests that read ${path}, which does not exist`);
  reported.add(path);
  return undefined;
}

/** A file of the folder `shared/data`; see `sharedFile`. */
export const sharedData = (...segments: string[]): string | undefined => sharedFile("data", ...segments);
