import { invalidText } from "../../../domain/field-rules.ts";
import type { Workload } from "../../../domain/gpu.ts";
import { workloadFields } from "../labels/labels.ts";
import { recordLabels } from "./record-labels.ts";

/** The columns of a record, and the text of each. */
export interface RecordCells {
  readonly names: readonly string[];
  readonly texts: readonly string[];
  /** The workloads that it lists, if several share its device. */
  readonly occupants: readonly Workload[];
  /** The names of members that are neither texts nor numbers. */
  readonly unread: readonly string[];
}

/** Members whose own members are columns. `custom` has metrics outside the catalogue in the API's records. */
const nested: ReadonlySet<string> = new Set(["metrics", "custom", "custom_metrics"]);
/** Members whose own members are labels, which are never values. */
const labelled: ReadonlySet<string> = new Set(["labels", "properties"]);
/** The column of labels as a text. */
const labelsColumn = "labels_raw";
/** Members of the API's records that follow from the others. */
const derived: ReadonlySet<string> = new Set(["telemetry_id", "parent_uuid", "mig_instance_id", "mig_profile"]);

/** Makes a row of a record's members. @returns undefined if the value is no object */
export function cellsOf(value: unknown): RecordCells | undefined {
  if (!isObject(value)) return undefined;
  const cells: Cells = { names: [], texts: [], unread: [] };
  const labels: (readonly [string, unknown])[] = [];
  let occupants: readonly Workload[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (name === "occupants" && isWorkloads(member)) occupants = member.map(workloadOf);
    else if (labelled.has(name) && isObject(member)) labels.push(...Object.entries(member));
    else if (nested.has(name) && isObject(member))
      for (const [inner, cell] of Object.entries(member)) add(cells, inner, cell);
    else if (!derived.has(name)) add(cells, name, member);
  }
  if (labels.length > 0) addLabels(cells, labels);
  return { ...cells, occupants };
}

type Cells = Record<"names" | "texts" | "unread", string[]>;

function addLabels(cells: Cells, labels: readonly (readonly [string, unknown])[]): void {
  const { columns, text, unread } = recordLabels(labels, cells.names);
  for (const [name, cell] of columns) add(cells, name, cell);
  cells.unread.push(...unread);
  const column = cells.names.indexOf(labelsColumn);
  if (column === -1) add(cells, labelsColumn, text);
  else cells.texts[column] += `,${text}`;
}

type ListedWorkload = Readonly<Partial<Record<keyof Workload, string>>>;

function isWorkloads(value: unknown): value is readonly ListedWorkload[] {
  return Array.isArray(value) && value.every(isWorkload);
}

function isWorkload(value: unknown): boolean {
  const isName = (text: unknown): boolean =>
    text === undefined || (typeof text === "string" && invalidText("occupants", text) === undefined);
  return isObject(value) && workloadFields.every((field) => isName(value[field]));
}

function workloadOf({ container = "", pod = "", namespace = "" }: ListedWorkload): Workload {
  return { container, pod, namespace };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(cell: unknown): string {
  if (typeof cell === "string") return cell;
  return cell === null ? "" : JSON.stringify(cell);
}

function add(cells: Cells, name: string, cell: unknown): void {
  if (typeof cell === "object" && cell !== null) {
    cells.unread.push(name);
    return;
  }
  cells.names.push(name);
  cells.texts.push(textOf(cell));
}
