import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** These files, and every TypeScript file that they import by a relative path, directly or through others.
 *  An import of types alone does not count.
 *  @param root  all paths are relative to it
 *  @param follows  false for a file whose own imports do not count */
export function importedBy(
  root: string,
  files: readonly string[],
  follows: (file: string) => boolean,
): ReadonlySet<string> {
  const reached = new Set(files);
  // iterating over a set also visits elements that are added meanwhile
  for (const file of reached) {
    if (!follows(file)) continue;
    for (const { path } of transpiler.scanImports(readFileSync(join(root, file), "utf8"))) {
      const imported = normalize(join(dirname(file), path));
      if (path.startsWith(".") && path.endsWith(".ts") && existsSync(join(root, imported))) reached.add(imported);
    }
  }
  return reached;
}
