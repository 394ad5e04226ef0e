import { labelNameOf } from "../../../domain/metrics.ts";
import { cutText } from "../../../domain/cut-text.ts";

/** The attributes of a GPU that are in a row's labels. */
export interface ParsedLabels {
  readonly driverVersion: string;
  /** Sorted by name, so that the same labels in another order give the same object. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Limits that keep a GPU's attributes small for any input; no exporter reaches them. */
const maxLabels = 64;
const labelMaxLength = 256;
const textMaxLength = 64 * 1024;

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
  "container",
  "pod",
  "namespace",
]);

/** Reads `K="V",K2="V2"` with Prometheus' escapes, and unquoted `k=v,k2=v2` or `k=v;k2=v2`. Anything else is
 *  skipped: bad labels never reject a row.
 *  Source: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information */
export function parseLabels(text: string): ParsedLabels {
  const found = new Map<string, string>();
  let driverVersion = "";
  const readable = cutText(text, textMaxLength);
  let at = 0;
  while (at < readable.length && found.size < maxLabels) {
    const pair = nextPair(readable, at);
    if (pair === undefined) break;
    at = pair.next;
    if (pair.key === "") continue;
    const name = labelNameOf(pair.key) ?? pair.key;
    if (name === "driver_version") driverVersion = cutText(pair.value, labelMaxLength);
    else if (!columnLabels.has(name.toLowerCase()))
      found.set(cutText(name, labelMaxLength), cutText(pair.value, labelMaxLength));
  }
  return { driverVersion, properties: sortedRecord(found) };
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
