import { invalidText } from "../../../domain/field-rules.ts";
import type { Workload } from "../../../domain/gpu.ts";
import { workloadFields } from "./labels.ts";

type ListedWorkload = Readonly<Partial<Record<keyof Workload, string>>>;

/** The workloads that a list of the API's form names.
 *  @returns undefined if the value is no such list, or has a text that is too long or has control characters */
export function listedWorkloads(value: unknown): readonly Workload[] | undefined {
  if (!Array.isArray(value) || !value.every(isWorkload)) return undefined;
  return value.map(({ container = "", pod = "", namespace = "" }) => ({ container, pod, namespace }));
}

function isWorkload(value: unknown): value is ListedWorkload {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const isName = (text: unknown): boolean =>
    text === undefined || (typeof text === "string" && invalidText("occupants", text) === undefined);
  return workloadFields.every((field) => isName((value as Readonly<Record<string, unknown>>)[field]));
}
