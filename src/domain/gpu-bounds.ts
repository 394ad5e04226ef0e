import type { Gpu, Occupants } from "./gpu.ts";

/** The GPUs that a caller may see, and what belongs to them. Each given list restricts; within a list, any name fits. The names are
 *  exact. A list is never empty, and has each name once, in order, so that equal bounds have equal JSON. */
export interface GpuBounds {
  readonly clusters?: readonly string[];
  readonly hosts?: readonly string[];
  /** Kubernetes namespaces of workloads that hold a GPU. */
  readonly namespaces?: readonly string[];
}

/** The lists of bounds, in the order in which bounds have them. */
export const boundNames = ["clusters", "hosts", "namespaces"] as const satisfies (keyof GpuBounds)[];

/** The longest list, and the longest name in it, in characters. */
const maxNames = 1000;
const nameMaxLength = 256;

/** A reason for which something is no bounds. No text of what was read is in it. */
interface Unusable {
  readonly problem: string;
}

/** Reads bounds from what a file or a table has. */
export function readGpuBounds(value: unknown): GpuBounds | Unusable {
  const notBounds = { problem: `it is not an object with lists of names: ${boundNames.join(", ")}` };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return notBounds;
  const given = Object.keys(value);
  if (given.length === 0 || !given.every((name) => boundNames.some((each) => each === name))) return notBounds;
  const lists: Partial<Record<keyof GpuBounds, readonly string[]>> = {};
  for (const name of boundNames) {
    if (!given.includes(name)) continue;
    const read = readNames((value as Readonly<Record<string, unknown>>)[name]);
    if ("problem" in read) return { problem: `its ${name}: ${read.problem}` };
    lists[name] = read.value;
  }
  return lists;
}

/** Reads one list of bounds: names in a list, or in a text with commas between them. */
export function readNames(given: unknown): { readonly value: readonly string[] } | Unusable {
  const names: unknown = typeof given === "string" ? given.split(",") : given;
  if (!Array.isArray(names) || names.length === 0) return { problem: "it is not a list of names" };
  if (names.length > maxNames) return { problem: `it has ${names.length} names, more than ${maxNames}` };
  if (!names.every(isName)) {
    return { problem: `a name is empty, has more than ${nameMaxLength} characters, or begins or ends with a space` };
  }
  return { value: [...new Set(names)].sort() };
}

function isName(name: unknown): name is string {
  // a space at an end is a slip of the hand, as in "a, b"; PostgreSQL cannot store NUL
  return typeof name === "string" && /^[^\s\0]([^\0]*[^\s\0])?$/u.test(name) && name.length <= nameMaxLength;
}

/** True if a GPU in this place may be seen, as far as its place decides that. */
export function isPlaceWithin({ clusters, hosts }: GpuBounds, place: Pick<Gpu, "clusterId" | "hostname">): boolean {
  return (clusters?.includes(place.clusterId) ?? true) && (hosts?.includes(place.hostname) ?? true);
}

/** True if a GPU with these occupants may be seen, as far as they decide that. */
export function isHeldWithin({ namespaces }: GpuBounds, occupants: Occupants | undefined): boolean {
  return namespaces === undefined || occupants?.some(({ namespace }) => namespaces.includes(namespace)) === true;
}
