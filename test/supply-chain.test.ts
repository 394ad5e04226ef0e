import { afterAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { packageManager, trustedDependencies } from "../package.json";
import { licenceProblem } from "../scripts/sbom/licences.ts";
import { bomProblem, makeBom } from "../scripts/sbom/make-bom.ts";
import { readLock } from "../scripts/sbom/read-lock.ts";

const root = join(import.meta.dir, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const folder = mkdtempSync(join(tmpdir(), "supply-chain-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const locked = readLock(root);
const product = { name: "product", version: "1.0.0", license: "Apache-2.0" };

/** Runs bun install in a folder. */
function install(cwd: string, ...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "install", ...args], { cwd, timeout: 60_000 });
  expect([exitCode, stderr.toString()]).toEqual([0, expect.any(String)]);
}

/** Names of packages that have a script which an installation would run, and why none is needed. */
const withScripts: Readonly<Record<string, string>> = {
  "@scarf/scarf": "reports the installation to its makers",
  esbuild: "replaces a launcher by the program itself, which saves some ms for each start",
  protobufjs: "warns of versions that do not fit",
};

test("packages with install scripts are known, and none is trusted to run them", () => {
  const found = new Set(locked.packages.filter((each) => each.hasInstallScript).map(({ name }) => name));
  expect([...found].sort()).toEqual(Object.keys(withScripts).sort());
  expect(trustedDependencies).toEqual([]);
});

test("an installation with our settings runs no script, even of a package that is trusted by name", () => {
  for (const [settings, runs] of [
    ["", true],
    [read("bunfig.toml"), false],
  ] as const) {
    const place = mkdtempSync(join(folder, "scripts-"));
    mkdirSync(join(place, "evil"));
    const evil = { name: "esbuild", version: "1.0.0", scripts: { postinstall: `touch ${join(place, "ran")}` } };
    writeFileSync(join(place, "evil/package.json"), JSON.stringify(evil));
    const user = { name: "user", dependencies: { esbuild: "file:./evil" }, trustedDependencies: ["esbuild"] };
    writeFileSync(join(place, "package.json"), JSON.stringify(user));
    writeFileSync(join(place, "bunfig.toml"), settings);
    install(place);
    expect([settings === "", existsSync(join(place, "ran"))]).toEqual([settings === "", runs]);
  }
});

test("the bill is CycloneDX, is the same each time, and names every package of bun.lock with its hash", async () => {
  const text = makeBom(product, locked);
  expect([await bomProblem(text), makeBom(product, readLock(root))]).toEqual([undefined, text]);
  const { components } = JSON.parse(text) as { components: { purl: string; scope: string; hashes: unknown[] }[] };
  expect(components.length).toBe(locked.packages.length);
  expect(components.filter(({ hashes }) => hashes.length !== 1)).toEqual([]);
  expect(await bomProblem(text.replace('"library"', '"books"'))).toContain("/components/0/type");
});

test("what the bill calls shipped is exactly what the image installs", () => {
  const place = mkdtempSync(join(folder, "image-"));
  for (const path of ["package.json", "bun.lock", "bunfig.toml", "patches"]) {
    cpSync(join(root, path), join(place, path), { recursive: true });
  }
  install(place, "--frozen-lockfile", "--production", "--ignore-scripts");
  Bun.spawnSync([process.execPath, join(root, "scripts/trim-packages.ts"), join(place, "node_modules")]);
  const places = readLock(place).packages.filter(({ manifest }) => manifest !== undefined);
  const shipped = locked.packages.filter(({ isShipped, manifest }) => isShipped && manifest !== undefined);
  const names = (packages: typeof shipped): string[] => packages.map(({ key, version }) => `${key} ${version}`).sort();
  expect(names(places)).toEqual(names(shipped));
});

test("a licence that is not in the list is named, and of several to choose from one is enough", () => {
  for (const licence of ["MIT", "(MIT OR GPL-3.0-only)", "Apache-2.0 AND ISC"]) {
    expect(licenceProblem("any", licence)).toBeUndefined();
  }
  for (const licence of ["GPL-3.0-only", "MIT AND SSPL-1.0", "Apache-2.0 WITH LLVM-exception", "CC-BY-3.0"]) {
    expect([licence, licenceProblem("any", licence)]).toEqual([licence, expect.stringContaining("is not in the list")]);
  }
  expect(licenceProblem("any", "SEE LICENSE IN terms.txt")).toContain("is not SPDX");
  expect(licenceProblem("any", undefined)).toContain("names no licence");
  expect(licenceProblem("spdx-exceptions", "CC-BY-3.0")).toBeUndefined();
});

test("every image that we build on or start is one version", () => {
  const files = ["Dockerfile", "deploy/etcd/Dockerfile"];
  const bases = files.flatMap((file) => [...read(file).matchAll(/^FROM (\S+)/gm)].map(([, image]) => image));
  const { services } = parse(read("compose.yaml"), { merge: true }) as {
    services: Record<string, { image?: string; build?: unknown }>;
  };
  const started = Object.values(services).flatMap(({ image, build }) => (build === undefined ? (image ?? "none") : []));
  expect([new Set(bases).size, started.length]).toEqual([2, 4]);
  expect([...bases, ...started].filter((image) => !/^docker\.io\/\S+:v?\d+\.\d+/.test(image ?? ""))).toEqual([]);
  expect(bases[0]).toBe(`docker.io/oven/bun:${packageManager.slice("bun@".length)}-slim`);
});
