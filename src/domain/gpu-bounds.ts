/** The GPUs that a caller may see, and what belongs to them. Each given list restricts; within a list, any name fits. The names are
 *  exact. A list is never empty, and has each name once, in order, so that equal bounds have equal JSON. */
export interface GpuBounds {
  readonly clusters?: readonly string[];
  readonly hosts?: readonly string[];
  /** Kubernetes namespaces of workloads that hold a GPU. */
  readonly namespaces?: readonly string[];
}

/** The lists of bounds, in the order in which bounds have them. */
const listNames = ["clusters", "hosts", "namespaces"] as const satisfies (keyof GpuBounds)[];

/** The longest list, and the longest name in it, in characters. */
const maxNames = 1000;
const nameMaxLength = 256;

/** Reads bounds from what a settings file, a table or a client has.
 *  @returns the bounds, or why the value is none. No text of the value is in the reason */
export function readGpuBounds(value: unknown): GpuBounds | { readonly problem: string } {
  const expected = `an object with non-empty lists of names: ${listNames.join(", ")}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { problem: `it is not ${expected}` };
  const given = value as Readonly<Record<string, unknown>>;
  const isKnown = Object.keys(given).every((name) => listNames.some((each) => each === name));
  if (!isKnown || Object.keys(given).length === 0) return { problem: `it is not ${expected}` };
  const lists = listNames.filter((name) => name in given).map((name) => [name, given[name]] as const);
  const wrong = lists.find(([, names]) => !isListOfNames(names));
  if (wrong !== undefined) {
    return { problem: `${wrong[0]} is not a list of 1 to ${maxNames} names of 1 to ${nameMaxLength} characters` };
  }
  return Object.fromEntries(lists.map(([name, names]) => [name, [...new Set(names as string[])].sort()]));
}

function isListOfNames(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxNames) return false;
  return value.every(
    (name) => typeof name === "string" && name !== "" && name.length <= nameMaxLength && !name.includes("\0"),
  );
}
