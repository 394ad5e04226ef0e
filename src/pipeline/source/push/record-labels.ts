import { normalName } from "../csv/column-names.ts";

/** Labels that name the record's time or device, in the normal form: columns, unless the record has a member of the name. */
const identityLabels: ReadonlySet<string> = new Set([
  ...["timestamp", "uuid", "gpuid", "gpu", "hostname", "device", "modelname"],
]);
/** A name that has none of the characters that separate labels. */
const usableName = /^[^\s=,;{}](?:[^=,;{}]*[^\s=,;{}])?$/;

/** What the labels of a record say. */
export interface RecordLabels {
  /** Those that identify, if the record itself does not. */
  readonly columns: readonly (readonly [name: string, text: string])[];
  /** All others as an exporter writes them, so that a text such as `12` stays a text. */
  readonly text: string;
  readonly unread: readonly string[];
}

/** Reads a record's labels.
 *  @param names of the record's own members */
export function recordLabels(labels: readonly (readonly [string, unknown])[], names: readonly string[]): RecordLabels {
  const own = new Set(names.map(normalName));
  const columns: [string, string][] = [];
  const texts: string[] = [];
  const unread: string[] = [];
  for (const [name, value] of labels) {
    if (value === null || value === undefined) continue;
    const normal = normalName(name);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (typeof value === "object" || !usableName.test(name)) unread.push(name);
    else if (!identityLabels.has(normal)) texts.push(`${name}="${escaped(text)}"`);
    else if (!own.has(normal)) {
      own.add(normal);
      columns.push([name, text]);
    }
  }
  return { columns, text: texts.join(","), unread };
}

function escaped(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
