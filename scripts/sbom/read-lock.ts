import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isTypesOnly } from "./types-only.ts";

/** A package that bun.lock names, at one place under node_modules. */
export interface LockedPackage {
  /** Its place: the names of the packages under whose node_modules it is, and its own, with slashes between them. */
  readonly key: string;
  readonly name: string;
  readonly version: string;
  /** The hash of its archive: `sha512-` and base64. */
  readonly integrity: string;
  /** The keys of the packages that it gets for its dependencies. */
  readonly dependencies: readonly string[];
  /** True if the image has it: the program without its tools needs it, and it is not only types. */
  readonly isShipped: boolean;
  readonly hasInstallScript: boolean;
  /** What its package.json says; undefined if it is not installed, because it is for another platform or optional. */
  readonly manifest: Manifest | undefined;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
}

type Names = Readonly<Record<string, string>>;
interface Needs {
  readonly dependencies?: Names;
  readonly devDependencies?: Names;
  readonly optionalDependencies?: Names;
  readonly peerDependencies?: Names;
  readonly hasInstallScript?: boolean;
}
type Entry = readonly [spec: string, registry: string, needs: Needs, integrity: string];
interface Lock {
  readonly lockfileVersion: number;
  readonly workspaces: Readonly<Record<string, Needs>>;
  readonly packages: Readonly<Record<string, Entry>>;
}

const knownVersion = 2;

/** What bun.lock says. */
export interface LockedPackages {
  readonly packages: readonly LockedPackage[];
  /** The keys of the packages that package.json names. */
  readonly direct: readonly string[];
}

/** Reads bun.lock and the manifests of what is installed.
 *  @param root the folder of bun.lock and node_modules
 *  @throws Error if bun.lock has a form that this program does not know */
export function readLock(root: string): LockedPackages {
  const { lockfileVersion, workspaces, packages } = Bun.JSONC.parse(
    readFileSync(join(root, "bun.lock"), "utf8"),
  ) as Lock;
  if (lockfileVersion !== knownVersion)
    throw new Error(`bun.lock has the version ${lockfileVersion}, not ${knownVersion}`);
  const links = new Map(Object.entries(packages).map(([key, [, , needs]]) => [key, linksOf(needs, key, packages)]));
  const { dependencies = {}, devDependencies = {} } = workspaces[""] ?? {};
  const needed = linksOf({ dependencies }, "", packages);
  const shipped = reached(needed, links, (key) => !isTypesOnly(namesIn(key).at(-1) ?? ""));
  const direct = [...needed, ...linksOf({ dependencies: devDependencies }, "", packages)];
  const read = Object.entries(packages).map(([key, [spec, registry, needs, integrity]]) => {
    const at = spec.lastIndexOf("@");
    if (at < 1 || registry !== "" || !integrity.startsWith("sha512-"))
      throw new Error(`bun.lock: ${key} is no package of the registry`);
    return {
      ...{ key, name: spec.slice(0, at), version: spec.slice(at + 1), integrity, manifest: manifestOf(root, key) },
      ...{
        dependencies: links.get(key) ?? [],
        isShipped: shipped.has(key),
        hasInstallScript: needs.hasInstallScript === true,
      },
    };
  });
  return { packages: read, direct };
}

/** The names in a key: those with a scope have a slash. */
function namesIn(key: string): readonly string[] {
  return key.match(/@[^/]+\/[^/]+|[^/]+/g) ?? [];
}

/** The keys that a package gets for its dependencies: the nearest ones, from its own node_modules to the root's. */
function linksOf(needs: Needs, key: string, packages: Lock["packages"]): string[] {
  const names = Object.keys({ ...needs.dependencies, ...needs.optionalDependencies, ...needs.peerDependencies });
  const above = namesIn(key);
  return names.flatMap((name) => {
    const places = above.map((_, index) => [...above.slice(0, above.length - index), name].join("/"));
    return [...places, name].find((place) => Object.hasOwn(packages, place)) ?? [];
  });
}

function reached(
  from: readonly string[],
  links: ReadonlyMap<string, readonly string[]>,
  counts: (key: string) => boolean,
): Set<string> {
  const found = new Set<string>();
  const left = [...from];
  for (let key = left.pop(); key !== undefined; key = left.pop()) {
    if (found.has(key) || !counts(key)) continue;
    found.add(key);
    left.push(...(links.get(key) ?? []));
  }
  return found;
}

function manifestOf(root: string, key: string): Manifest | undefined {
  const path = join(root, "node_modules", namesIn(key).join("/node_modules/"), "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : undefined;
}
