import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isTypesOnly } from "./sbom/types-only.ts";

const usage = `Deletes what no program reads from installed packages, for the image: packages of types, declarations, source maps.
  bun scripts/trim-packages.ts FOLDER
FOLDER is a node_modules. Licences stay.
`;

/** Files that only compilers and debuggers read. */
const unread = /\.(?:map|d\.[cm]?ts)$/;

const [folder = "--help"] = process.argv.slice(2);
// the image has nothing else of scripts/ and src/ where this runs
if (folder.startsWith("-")) {
  process.stdout.write(usage);
  process.exit(process.argv.length > 2 ? 0 : 1);
}

/** Trims a folder of packages, and those within each package. */
function trim(packages: string): void {
  const names = readdirSync(packages).flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(packages, name)).map((inner) => `${name}/${inner}`) : [name],
  );
  for (const name of names) if (isTypesOnly(name)) rmSync(join(packages, name), { recursive: true });
}

trim(folder);
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
for (const path of paths) {
  if (path.endsWith("/node_modules")) trim(join(folder, path));
  else if (unread.test(path)) rmSync(join(folder, path), { force: true });
}
