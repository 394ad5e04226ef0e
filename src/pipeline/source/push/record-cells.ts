import type { Workload } from "../../../domain/gpu.ts";
import { customNames, derivedNames } from "../csv/column-names.ts";
import { type ListedMetric, metricsInCell, workloadsInCell } from "../csv/json-cells.ts";
import type { ListedInRecord } from "../csv/row-reader.ts";
import { listedWorkloads } from "../labels/listed-workloads.ts";
import { recordLabels } from "./record-labels.ts";

/** The columns of a record, and the text of each. */
export interface RecordCells extends ListedInRecord {
  readonly names: readonly string[];
  readonly texts: readonly string[];
  /** The names of members that are neither texts nor numbers. */
  readonly unread: readonly string[];
}

/** The member whose own members are columns. */
const nested = "metrics";
/** Members whose own members are metrics by their names: those outside the catalogue in the API's records. */
const listing: ReadonlySet<string> = new Set(customNames);
/** Members whose own members are labels, which are never values. */
const labelled: ReadonlySet<string> = new Set(["labels", "properties"]);
/** The column of labels as a text. */
const labelsColumn = "labels_raw";
/** Members of the API's records that follow from the others. */
const derived: ReadonlySet<string> = new Set(derivedNames);

/** Makes a row of a record's members. @returns undefined if the value is no object */
export function cellsOf(value: unknown): RecordCells | undefined {
  if (!isObject(value)) return undefined;
  const cells: Cells = { names: [], texts: [], unread: [] };
  const labels: (readonly [string, unknown])[] = [];
  const custom: ListedMetric[] = [];
  let occupants: readonly Workload[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (name === "occupants") occupants = workloadsIn(member) ?? unreadIn(cells, name);
    else if (listing.has(name) && member !== null) custom.push(...listedIn(name, member));
    else if (name === "rollup" && isObject(member)) add(cells, name, JSON.stringify(member));
    else if (labelled.has(name) && isObject(member)) labels.push(...Object.entries(member));
    else if (name === nested && isObject(member))
      for (const [inner, cell] of Object.entries(member)) add(cells, inner, cell);
    else if (!derived.has(name)) add(cells, name, member);
  }
  if (labels.length > 0) addLabels(cells, labels);
  if (custom.length > 0) add(cells, customNames[0] ?? "", "");
  return { ...cells, occupants, custom };
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

/** Notes that a member is not read. @returns what is read of it */
function unreadIn({ unread }: Cells, name: string): readonly [] {
  unread.push(name);
  return [];
}

/** The metrics of a member; one whose value is no object, and is rejected, if it is none. */
function listedIn(name: string, member: unknown): readonly ListedMetric[] {
  if (isObject(member)) return Object.entries(member);
  const inText = typeof member === "string" ? metricsInCell(member) : undefined;
  return inText === undefined || "reason" in inText ? [[name, member]] : inText;
}

/** The workloads of a member; undefined if it is no list of them. */
function workloadsIn(member: unknown): readonly Workload[] | undefined {
  if (typeof member !== "string") return member === null ? [] : listedWorkloads(member);
  const inText = workloadsInCell(member);
  return "reason" in inText ? undefined : inText;
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
