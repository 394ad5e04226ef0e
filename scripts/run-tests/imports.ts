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
    for (const imported of importsOf(root, file)) reached.add(imported);
  }
  return reached;
}

const known = new Map<string, readonly string[]>();

/** The TypeScript files that a file imports by a relative path. */
function importsOf(root: string, file: string): readonly string[] {
  const path = join(root, file);
  const imports = known.get(path) ?? scanned(root, file);
  known.set(path, imports);
  return imports;
}

function scanned(root: string, file: string): readonly string[] {
  return transpiler
    .scanImports(readFileSync(join(root, file), "utf8"))
    .filter(({ path }) => path.startsWith(".") && path.endsWith(".ts"))
    .map(({ path }) => normalize(join(dirname(file), path)))
    .filter((imported) => existsSync(join(root, imported)));
}
