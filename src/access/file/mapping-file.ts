import { readGpuBounds } from "../../domain/gpu-bounds.ts";
import { quoted } from "../../domain/cut-text.ts";
import { defined } from "../../kit/defined.ts";
import type { MappingEntry } from "../grant-mapping.ts";
import { isScope, scopes, selectorProblem } from "../scope.ts";
import { type FileContent, jsonEntriesIn, notJson, RereadFile } from "./reread-file.ts";

const members: ReadonlySet<string> = new Set(["subject", "groups", "certificate", "scopes", "selector"]);
const textMaxLength = 1000;

/** The file that says what people and certificates may do: a JSON array of entries, or an entry on each line. */
export function mappingFile(path: string): RereadFile<MappingEntry> {
  return new RereadFile(path, { setting: "AUTH_MAPPING_FILE", noun: "entries" }, readMapping);
}

/** Reads the entries of a file; an entry that is not usable is left out, and named in a problem. */
export function readMapping(text: string): FileContent<MappingEntry> {
  const read = jsonEntriesIn(text).map(({ place, value }) => ({ place, entry: readEntry(value) }));
  return {
    entries: read.flatMap(({ entry }) => (typeof entry === "string" ? [] : [entry])),
    problems: read.flatMap(({ place, entry }) => (typeof entry === "string" ? [`${place}: ${entry}`] : [])),
  };
}

/** @returns the entry, or what is wrong with it */
function readEntry(value: unknown): MappingEntry | string {
  if (value === notJson) return "it is not JSON";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "it is not a JSON object";
  const given = value as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).find((member) => !members.has(member));
  if (unknown !== undefined) return `it has the unknown member ${quoted(unknown)}`;
  const { subject, groups, certificate } = given;
  if ((subject ?? groups ?? certificate) === undefined) return "it has no subject, groups or certificate";
  if (!isTextOrAbsent(subject)) return "its subject is not a text";
  if (!isTextOrAbsent(certificate)) return "its certificate is not a text";
  if (groups !== undefined && !(Array.isArray(groups) && groups.length > 0 && groups.every(isText))) {
    return "its groups are not a list of texts";
  }
  const grant = readGrant(given);
  if (typeof grant === "string") return grant;
  return { ...defined({ subject, certificate, groups }), ...grant };
}

function readGrant({ scopes: granted, selector }: Readonly<Record<string, unknown>>) {
  if (!Array.isArray(granted) || granted.length === 0 || !granted.every(isScope)) {
    return `it has no list of scopes from ${scopes.join(", ")}`;
  }
  const unique = [...new Set(granted)].sort();
  if (selector === undefined) return { scopes: unique };
  const bounds = readGpuBounds(selector);
  if ("problem" in bounds) return `its selector is not usable: ${bounds.problem}`;
  const problem = selectorProblem(unique);
  return problem === undefined ? { scopes: unique, selector: bounds } : `it has a selector: ${problem}`;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= textMaxLength;
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}
