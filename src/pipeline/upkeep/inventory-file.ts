import { parse } from "csv-parse/sync";
import { quoted } from "../../domain/cut-text.ts";
import { hasHidden } from "../../domain/field-rules.ts";
import type { DeclaredItem } from "../../domain/inventory.ts";
import { UnusableSource } from "../../domain/errors.ts";

/** A line that declares no host or device, and why. */
export interface UnusableLine {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** What a file declares. */
export interface InventoryFile {
  readonly items: readonly DeclaredItem[];
  readonly unusable: readonly UnusableLine[];
}

const columns = ["hostname", "uuid", "gpus", "cluster"] as const;
type Column = (typeof columns)[number];

const nameMaxLength = 256;
const gpusMax = 1024;

/** Reads a CSV file of hosts and devices that ought to report: a header with `hostname`, `uuid` or `gpus` or both, and optionally
 *  `cluster`; then a line for each device (with a uuid) or host (with a number of GPUs). `#` starts a comment line. A line that cannot
 *  be used does not affect the others.
 *  @param clusterId the cluster of lines without one
 *  @throws UnusableSource if the file has no such header, or if none of its lines can be used: an unfinished file must not delete what stands */
export function readInventoryFile(text: string, clusterId: string): InventoryFile {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((content, index) => ({ content, line: index + 1 }))
    .filter(({ content }) => content.trim() !== "" && !content.trimStart().startsWith("#"));
  const [header, ...rows] = lines;
  const names = headerOf(header?.content ?? "");
  const items = new Map<string, { readonly item: DeclaredItem; readonly line: number }>();
  const unusable: UnusableLine[] = [];
  for (const { content, line } of rows) {
    const item = itemOf(content, names, clusterId);
    const key = typeof item === "string" ? "" : keyOf(item);
    const first = items.get(key);
    if (typeof item === "string") unusable.push({ line, message: item });
    else if (first !== undefined) unusable.push({ line, message: `line ${first.line} declares the same already` });
    else items.set(key, { item, line });
  }
  if (items.size === 0 && unusable.length > 0) {
    throw new UnusableSource(
      `none of its ${unusable.length} lines can be used; line ${unusable[0]?.line}: ${unusable[0]?.message}`,
    );
  }
  return { items: Array.from(items.values(), ({ item }) => item), unusable };
}

function headerOf(line: string): readonly string[] {
  const names = (fieldsOf(line) ?? []).map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => !columns.some((column) => column === name));
  if (!names.includes("hostname") || !(names.includes("uuid") || names.includes("gpus")) || unknown !== undefined) {
    const found = line === "" ? "it is empty" : `its first line is ${quoted(line)}`;
    throw new UnusableSource(
      `${found}; expected a header with hostname, uuid or gpus, and cluster, such as hostname,gpus,cluster`,
    );
  }
  return names;
}

/** @returns undefined if the line is not CSV */
function fieldsOf(line: string): readonly string[] | undefined {
  try {
    const [fields]: string[][] = parse(line);
    return fields;
  } catch {
    return undefined;
  }
}

/** @returns why the line cannot be used, if it cannot */
function itemOf(line: string, names: readonly string[], clusterId: string): DeclaredItem | string {
  const fields = fieldsOf(line);
  if (fields === undefined) return `${quoted(line)} is not CSV`;
  if (fields.length !== names.length) return `it has ${fields.length} fields; the header has ${names.length}`;
  const valueOf = (column: Column): string => fields[names.indexOf(column)]?.trim() ?? "";
  const [hostname, uuid, gpus, cluster] = columns.map(valueOf) as [string, string, string, string];
  const tooLong = columns.find((column) => valueOf(column).length > nameMaxLength || valueOf(column).includes("\0"));
  if (tooLong !== undefined)
    return `${tooLong} is not usable; expected at most ${nameMaxLength} characters, without NUL`;
  if (hostname === "") return "hostname is empty";
  const hidden = [hostname, uuid].find(hasHidden);
  if (hidden !== undefined) return `${quoted(hidden)} has a character that is not seen, so nothing can report it`;
  if ((uuid === "") === (gpus === "")) {
    return `uuid is ${quoted(uuid)} and gpus is ${quoted(gpus)}; expected one of the two: the uuid of a device, or the number of a host's GPUs`;
  }
  const count = /^\d{1,4}$/.test(gpus) ? Number(gpus) : NaN;
  if (gpus !== "" && !(count >= 1 && count <= gpusMax)) {
    return `gpus is ${quoted(gpus)}; expected a whole number from 1 to ${gpusMax}`;
  }
  return { clusterId: cluster || clusterId, hostname, uuid, gpus: gpus === "" ? undefined : count };
}

function keyOf({ clusterId, hostname, uuid }: DeclaredItem): string {
  return uuid === "" ? JSON.stringify([clusterId, hostname]) : uuid;
}
