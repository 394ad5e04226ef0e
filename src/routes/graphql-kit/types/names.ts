import type { Spelling } from "../../http/parameters/spelling.ts";

/** `gpu_utilization` -> `gpuUtilization`: GraphQL's names are derived from those of JSON. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `gpu_utilization` -> `GpuUtilization`, for the names of types. */
export function pascalCase(name: string): string {
  return camelCase(name).replace(/^./, (first) => first.toUpperCase());
}

/** GraphQL's names for the values that begin with a digit, because no name in GraphQL may begin with one. */
const nameByValue: ReadonlyMap<string, string> = new Map([
  ["1m", "minute"],
  ["1h", "hour"],
  ["1d", "day"],
]);

/** GraphQL's name for a value of an enum. */
export function valueName(value: string): string {
  return nameByValue.get(value) ?? value;
}

/** How GraphQL spells names and values. */
export const graphqlSpelling: Spelling = { name: camelCase, value: valueName, listSuffix: "" };
