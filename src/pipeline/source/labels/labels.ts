import { shortened } from "../../../domain/cut-text.ts";
import { fieldMaxLength, isNoInstanceId } from "../../../domain/field-rules.ts";
import type { Workload } from "../../../domain/gpu.ts";
import { labelNameOf } from "../../../domain/metrics.ts";
import type { MigInstance } from "../../../domain/mig-instance.ts";
import { seriesLabelOf, seriesLabels } from "../../../domain/series.ts";
import { meansNoValue } from "../../../domain/value.ts";

/** What a row's labels say. */
export interface ParsedLabels {
  readonly driverVersion: string;
  /** All labels without a meaning of their own. Sorted by name, so that the same labels in another order give the same object. */
  readonly properties: Readonly<Record<string, string>>;
  /** The MIG instance that the row is about; undefined if it is about a GPU. */
  readonly mig: Omit<MigInstance, "parentUuid"> | undefined;
  /** The labels that tell apart several series of one metric (see domain/series.ts); empty if there are none. */
  readonly series: Readonly<Record<string, string>>;
  /** The workload that the labels name. */
  readonly workload: Workload | undefined;
  /** True if there are labels such as exported_pod: Prometheus has put the exporter's own pod in pod, and the pod of the GPU's
   *  workload in exported_pod. */
  readonly isExported: boolean;
}

/** Keeps a GPU's attributes small for any input; no exporter reaches it. */
const maxProperties = 64;
const dots = "...";

/** Labels that repeat a column. */
const columnLabels: ReadonlySet<string> = new Set([
  "__name__",
  "hostname",
  "uuid",
  "device",
  "gpu",
  "gpu_id",
  "modelname",
  "model_name",
]);
/** Labels that differ with a metric's value, and so describe neither the GPU nor a series. */
const valueLabels: ReadonlySet<string> = new Set(["err_code", "err_msg"]);

/** The names of a workload's labels. */
export const workloadFields = ["container", "pod", "namespace"] as const;
/** Prometheus adds this prefix to an exporter's label if Prometheus itself sets a label of that name. */
export const exportedPrefix = "exported_";
/** The names that the exporter has for a workload's labels in its older form. */
const olderNames: ReadonlyMap<string, string> = new Map(
  ["", exportedPrefix].flatMap((prefix) => [
    [`${prefix}container_name`, `${prefix}container`],
    [`${prefix}pod_name`, `${prefix}pod`],
    [`${prefix}pod_namespace`, `${prefix}namespace`],
  ]),
);
/** GPU_I_ID and GPU_I_PROFILE, in lower case. */
const migIdLabel = "gpu_i_id";
const migProfileLabel = "gpu_i_profile";

/** Labels that a file may also have as columns, besides the catalogue's label fields and the series labels. */
export const columnsOfLabels: readonly string[] = [
  migIdLabel,
  migProfileLabel,
  ...valueLabels,
  ...workloadFields.map((field) => `${exportedPrefix}${field}`),
];

/** The labels that are not properties, in lower case. */
const ownMeanings: ReadonlySet<string> = new Set([...columnsOfLabels, ...workloadFields, ...seriesLabels]);

const noMeaning: Omit<ParsedLabels, "driverVersion" | "properties"> = {
  mig: undefined,
  series: {},
  workload: undefined,
  isExported: false,
};

/** A label's name and text. */
export type LabelCell = readonly [name: string, text: string];

/** Reads `K="V",K2="V2"` with Prometheus' escapes, and unquoted `k=v,k2=v2` or `k=v;k2=v2`. Anything else is
 *  skipped. A property has at most `fieldMaxLength` characters (see `attributeText`); a label with a longer name is skipped. Labels
 *  that tell apart devices, series or workloads are never cut: a cut could make two of them equal.
 *  @param cells the label columns: a label's own column takes precedence over the text, because it is more specific
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information */
export function parseLabels(text: string, cells: readonly LabelCell[] = []): ParsedLabels {
  const properties = new Map<string, string>();
  const others = new Map<string, string>();
  let driverVersion = "";
  for (const [label, value] of [...labelsIn(text), ...cells]) {
    const name = labelNameOf(label) ?? label;
    const lowerName = name.toLowerCase();
    const newName = olderNames.get(lowerName);
    if (name === "driver_version") driverVersion = attributeText(value);
    else if (columnLabels.has(lowerName)) continue;
    else if (ownMeanings.has(lowerName)) others.set(lowerName, value);
    else if (newName !== undefined) others.set(newName, others.get(newName) ?? value);
    else if (name.length > fieldMaxLength) continue;
    else if (properties.size < maxProperties || properties.has(name)) properties.set(name, attributeText(value));
  }
  const meaning = others.size === 0 ? noMeaning : meaningOf(others);
  return { driverVersion, properties: sortedRecord(properties), ...meaning };
}

function meaningOf(labels: ReadonlyMap<string, string>): typeof noMeaning {
  const series = [...labels].filter(([name, value]) => seriesLabelOf(name) !== undefined && !meansNoValue(value));
  return { mig: migIn(labels), series: Object.fromEntries(series), ...workloadIn(labels) };
}

function migIn(labels: ReadonlyMap<string, string>): ParsedLabels["mig"] {
  const [id, profile] = [labels.get(migIdLabel) ?? "", labels.get(migProfileLabel) ?? ""];
  if (isNoInstanceId(id)) return undefined; // the exporter writes empty labels for a GPU
  // a tool that reads the column as numbers writes 3.0
  return { instanceId: id.trim().replace(/^(\d+)\.0+$/, "$1"), profile: isNoInstanceId(profile) ? "" : profile.trim() };
}

function workloadIn(labels: ReadonlyMap<string, string>): Pick<ParsedLabels, "workload" | "isExported"> {
  const isExported = workloadFields.some((field) => labels.has(`${exportedPrefix}${field}`));
  const text = (field: keyof Workload): string => {
    const value = labels.get(isExported ? `${exportedPrefix}${field}` : field) ?? "";
    return meansNoValue(value) ? "" : value.trim();
  };
  const workload = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  const isEmpty = workloadFields.every((field) => workload[field] === "");
  return { workload: isEmpty ? undefined : workload, isExported };
}

function labelsIn(text: string): LabelCell[] {
  const found: LabelCell[] = [];
  let at = 0;
  while (at < text.length) {
    const pair = nextPair(text, at);
    if (pair === undefined) break;
    at = pair.next;
    if (pair.key !== "") found.push([pair.key, pair.value]);
  }
  return found;
}

/** A text of more than `fieldMaxLength` characters, cut to this length, with three dots at its end. */
export function attributeText(text: string): string {
  return text.length <= fieldMaxLength ? text : shortened(text, fieldMaxLength - dots.length);
}

/** An object with its names in order; `__proto__` is a name like any other. */
export function sortedRecord(entries: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

interface Pair {
  readonly key: string;
  readonly value: string;
  readonly next: number;
}

/** @returns the first pair at or after `from`, with an empty key if nothing precedes the '='; undefined if there is no pair */
function nextPair(text: string, from: number): Pair | undefined {
  const keyStart = endOfRun(text, from, " \t\r\n,;{}");
  const equals = text.indexOf("=", keyStart);
  if (equals === -1) return undefined;
  // text up to the last comma or semicolon before the '=' is skipped
  const words = text.slice(keyStart, equals);
  const key = words.slice(Math.max(words.lastIndexOf(","), words.lastIndexOf(";")) + 1).trim();
  const valueStart = endOfRun(text, equals + 1, " \t");
  const value = text[valueStart] === '"' ? quotedValue(text, valueStart) : bareValue(text, valueStart);
  return { key, ...value };
}

function endOfRun(text: string, from: number, characters: string): number {
  let at = from;
  while (at < text.length && characters.includes(text[at] as string)) at += 1;
  return at;
}

function bareValue(text: string, from: number): { value: string; next: number } {
  let end = from;
  while (end < text.length && text[end] !== "," && text[end] !== ";" && text[end] !== "}") end += 1;
  return { value: text.slice(from, end).trim(), next: end };
}

function quotedValue(text: string, openingQuote: number): { value: string; next: number } {
  let end = openingQuote + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  const raw = text.slice(openingQuote + 1, end);
  const value = raw.includes("\\") ? raw.replace(/\\(["\\n])/g, (_, c: string) => (c === "n" ? "\n" : c)) : raw;
  return { value, next: Math.min(end + 1, text.length) };
}
