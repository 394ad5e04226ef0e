import { existsSync } from "node:fs";
import { join } from "node:path";

/** @param segments path inside the shared data folder
 *  @returns its path; undefined where the folder does not hold it, for `test.skipIf` */
export function sharedData(...segments: string[]): string | undefined {
  const path = join(import.meta.dir, "../../../shared/data", ...segments);
  return existsSync(path) ? path : undefined;
}
