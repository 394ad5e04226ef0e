import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** Every TypeScript file that these files import, directly or through others, and these themselves.
 *  @param root  all paths are relative to it
 *  @param passes  whether to go on to what a file imports */
export function importedBy(
  root: string,
  files: readonly string[],
  passes: (file: string) => boolean,
): ReadonlySet<string> {
  const reached = new Set(files);
  // a set gives what is added while it is walked, too
  for (const file of reached) {
    if (!passes(file)) continue;
    for (const { path } of transpiler.scanImports(readFileSync(join(root, file), "utf8"))) {
      const imported = normalize(join(dirname(file), path));
      if (path.startsWith(".") && path.endsWith(".ts") && existsSync(join(root, imported))) reached.add(imported);
    }
  }
  return reached;
}
