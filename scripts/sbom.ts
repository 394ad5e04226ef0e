import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import product from "../package.json";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";
import { licenceProblem } from "./sbom/licences.ts";
import { bomProblem, makeBom } from "./sbom/make-bom.ts";
import { type LockedPackage, readLock } from "./sbom/read-lock.ts";

const usage = `Writes the bill of materials (bom.cdx.json, CycloneDX) of all packages that bun.lock names, and the list of their
licences (licences.csv), to a folder.
  bun run sbom [--out sbom]
Exits with 1 if an installed package is not in the bill, or has a licence that is not allowed.`;

const root = resolve(import.meta.dir, "..");

/** The packages that are under node_modules, as name@version. */
function installedIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return names.flatMap((name) => {
    const path = join(folder, name);
    if (name.startsWith("@")) return installedIn(path);
    const { name: own, version } = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Record<
      string,
      string
    >;
    const nested = readdirSync(path).includes("node_modules") ? installedIn(join(path, "node_modules")) : [];
    return [`${own}@${version}`, ...nested];
  });
}

/** What is wrong with the packages, one text for each problem. */
function problemsOf(packages: readonly LockedPackage[]): string[] {
  const known = new Set(packages.map(({ name, version }) => `${name}@${version}`));
  const unknown = installedIn(join(root, "node_modules")).filter((each) => !known.has(each));
  return [
    ...unknown.map((each) => `${each} is installed, but not in bun.lock`),
    ...packages.flatMap(({ name, version, manifest }) => {
      if (manifest === undefined) return [];
      const problem = licenceProblem(name, manifest.license);
      return problem === undefined ? [] : [`${name}@${version}: ${problem}`];
    }),
  ];
}

function licenceList(packages: readonly LockedPackage[]): string {
  const lines = packages.map(({ name, version, isShipped, manifest }) => {
    const licence = manifest === undefined ? "not installed here" : String(manifest.license);
    return `${name},${version},${licence},${isShipped ? "shipped" : "development"}\n`;
  });
  return `name,version,licence,use\n${[...new Set(lines)].sort().join("")}`;
}

async function write(folder: string): Promise<void> {
  const locked = readLock(root);
  const { packages } = locked;
  const bom = makeBom(product, locked);
  const invalid = await bomProblem(bom);
  const problems = [
    ...problemsOf(packages),
    ...(invalid === undefined ? [] : [`the bill is not CycloneDX: ${invalid}`]),
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bom.cdx.json"), bom);
  writeFileSync(join(folder, "licences.csv"), licenceList(packages));
  const shipped = packages.filter(({ isShipped }) => isShipped).length;
  print(
    `${packages.length} packages, ${shipped} of them shipped: ${join(folder, "bom.cdx.json")}, ${join(folder, "licences.csv")}`,
  );
  for (const problem of problems) printError(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  const { values } = parseArgs({ options: { out: { type: "string", default: "sbom" } } });
  await write(values.out);
} catch (error) {
  printError((error as Error).message);
  process.exitCode = 1;
}
