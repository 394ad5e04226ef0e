import { XMLParser, XMLValidator } from "fast-xml-parser";
import { SmiFailed } from "./smi-failed.ts";
import { messageOf } from "../../../kit/message-of.ts";

/** What `nvidia-smi -q -x` printed. */
export interface SmiLog {
  /** Local time of the machine, such as `Fri Aug  4 11:44:30 2023`; empty if the document has none. */
  readonly timestamp: string;
  /** Empty if the document has none. */
  readonly driverVersion: string;
  /** The number of GPUs of the machine, which may be more than `gpus` has; undefined if the document does not say. */
  readonly attachedGpus: number | undefined;
  readonly gpus: readonly SmiElement[];
}

/** An element of the document: its elements by name (a text, an element, or a list of both), and its attributes, whose names begin
 *  with `@`. */
export type SmiElement = Readonly<Record<string, unknown>>;

const rootEnd = "</nvidia_smi_log>";
/** Elements that may be repeated. */
const lists: ReadonlySet<string> = new Set(["gpu", "mig_device", "process_info"]);

/** fast-xml-parser needs no schema, and refuses documents that nest too deeply or have names such as `__proto__`. Entities are not
 *  expanded: a document could make them grow without bound. The names of processes are not escaped by all drivers, and a list of
 *  clocks is most of the document: both are kept as text. */
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  stopNodes: ["*.process_name", "*.supported_clocks"],
  isArray: (name) => lists.has(name),
});

/** Finds the first document in what nvidia-smi printed. It prints warnings before and after the document.
 *  @returns the document and the text around it; undefined if there is no whole document */
export function findDocument(output: string): { readonly xml: string; readonly around: string } | undefined {
  const start = output.search(/<\?xml|<!DOCTYPE|<nvidia_smi_log/);
  const end = start === -1 ? -1 : output.indexOf(rootEnd, start);
  if (end === -1) return undefined;
  const after = end + rootEnd.length;
  return { xml: output.slice(start, after), around: `${output.slice(0, start)}${output.slice(after)}`.trim() };
}

/** Reads a document of `nvidia-smi -q -x`, of any version.
 *  @throws SmiFailed if it is not one */
export function parseSmiLog(xml: string): SmiLog {
  const root = elementIn(parsed(xml), "nvidia_smi_log");
  if (root === undefined)
    throw new SmiFailed("command_failed", "the XML is not that of nvidia-smi: it has no element nvidia_smi_log");
  const attached = textAt(root, "attached_gpus") ?? "";
  return {
    timestamp: textAt(root, "timestamp") ?? "",
    driverVersion: textAt(root, "driver_version") ?? "",
    attachedGpus: /^\d{1,4}$/.test(attached) ? Number(attached) : undefined,
    gpus: elementsIn(root, "gpu"),
  };
}

/** The text at a path of names, such as `fb_memory_usage/used`; undefined if there is none. Of repeated elements, the first
 *  counts. */
export function textAt(element: SmiElement, path: string): string | undefined {
  const names = path.split("/");
  const last = names.pop() ?? "";
  let at: SmiElement | undefined = element;
  for (const name of names) at = at === undefined ? undefined : elementIn(at, name);
  const value = at === undefined ? undefined : firstOf(childOf(at, last));
  return typeof value === "string" ? value.trim() : undefined;
}

/** The elements of this name; not those that are a text only, such as `None`. */
export function elementsIn(parent: SmiElement, name: string): readonly SmiElement[] {
  const value = childOf(parent, name);
  return (Array.isArray(value) ? value : [value]).filter(isElement);
}

/** The element of this name; undefined if it does not exist or has no elements in it. */
export function elementIn(parent: SmiElement, name: string): SmiElement | undefined {
  return elementsIn(parent, name)[0];
}

/** Not escaped by all drivers. */
const processNames = /(?<=<process_name>)[^]*?(?=<\/process_name>)/g;

function parsed(xml: string): SmiElement {
  // the parser itself accepts tags that do not match, and might take values of one GPU for those of another
  const checked = XMLValidator.validate(xml.replace(processNames, ""));
  if (checked !== true) {
    const { msg, line } = checked.err;
    throw new SmiFailed(
      "command_failed",
      `the XML of nvidia-smi is broken, near line ${line}: ${msg.replace(/\.$/, "")}`,
    );
  }
  try {
    const document: unknown = parser.parse(xml);
    return isElement(document) ? document : {};
  } catch (cause) {
    throw new SmiFailed("command_failed", `the XML of nvidia-smi cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function childOf(parent: SmiElement, name: string): unknown {
  return Object.hasOwn(parent, name) ? parent[name] : undefined;
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function isElement(value: unknown): value is SmiElement {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
