import { existsSync } from "node:fs";
import { join } from "node:path";

const reported = new Set<string>();
const shared = join(import.meta.dir, "../../../shared");

/** Looks for a file of the folder `shared` next to the checkout, which is not part of the project. When the file is missing, the
 *  output reports once that the tests that read it are skipped.
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
