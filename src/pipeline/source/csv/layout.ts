import { UnusableSource } from "../../../domain/errors.ts";
import { invalidText } from "../../../domain/field-rules.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { spellings } from "../../../domain/dialects/spelling-of.ts";
import { decidedRatio, ratioUnitOf } from "../../../domain/dialects/ratio-scale.ts";
import { labelFields, labelSpellings, metrics } from "../../../domain/metrics.ts";
import { seriesLabels } from "../../../domain/series.ts";
import { columnsOfLabels } from "../labels/labels.ts";
import { customNames, derivedNames, normalName, requiredNames } from "./column-names.ts";
import type { DecimalSign } from "./csv-form.ts";
import { aMetric } from "./meant-names.ts";
import { MissingColumns, problemOf } from "./missing-columns.ts";
import { isAbout, namedSeries, type NamedSeries } from "../labels/series-labels.ts";
import { isRowNumber, sameMeaning, spellingWithUnit, withOurNames } from "./header-names.ts";
import { smiTableOf, type SmiTable } from "./smi-table.ts";

/** Index of a column that the header does not have. */
const noColumn = -1;

/** The indexes of the columns that the long and the wide form have in common; `noColumn` for an optional column that is
 *  absent. */
interface IdentityColumns {
  readonly timestamp: number;
  readonly gpuId: number;
  readonly uuid: number;
  readonly hostname: number;
  readonly clusterId: number;
  readonly device: number;
  readonly modelName: number;
  readonly container: number;
  readonly pod: number;
  readonly namespace: number;
  readonly labels: number;
}

interface AnyLayout extends IdentityColumns {
  /** The column names as written in the header, without surrounding white space. */
  readonly header: readonly string[];
  /** Columns that are read like labels: the catalogue's label fields, such as driver_version and serial, and labels with a
   *  meaning of their own, such as GPU_I_ID. */
  readonly labelColumns: readonly { readonly column: number; readonly name: string }[];
  /** The names of the columns that are not read. */
  readonly ignoredColumns: readonly string[];
  /** Undefined if the table is not one of nvidia-smi. */
  readonly smi: SmiTable | undefined;
  /** The host of rows whose host has no name; undefined if they are rejected. */
  readonly defaultHostname: string | undefined;
  /** With `comma` and `either`, a comma in a number is its decimal point. */
  readonly decimalSign: DecimalSign;
}

/** A row is one metric of one GPU at one instant, as in a table of dcgm-exporter's metrics. */
export interface LongLayout extends AnyLayout {
  readonly form: "long";
  readonly metricName: number;
  readonly value: number;
}

/** A row is one GPU at one instant, with a column for each metric. */
export interface WideLayout extends AnyLayout {
  readonly form: "wide";
  /** Several columns may be of one metric, in different spellings: they follow each other, and the first with a value counts. */
  readonly metricColumns: readonly { readonly column: number; readonly spelling: Spelling }[];
  /** All other columns with a usable name. Their numbers are values of metrics outside the catalogue, or of the labelled series
   *  that the column is named after. */
  readonly customColumns: readonly CustomColumn[];
  /** The column that lists other metrics by name, as JSON. */
  readonly custom: number;
  /** The column that lists the workloads that share the device, as JSON. */
  readonly occupants: number;
  /** The column that only averages have. */
  readonly rollup: number;
}

/** A column of a wide file that is not a column of the catalogue. */
export interface CustomColumn {
  readonly column: number;
  readonly name: string;
  /** The metric and the labels that the name gives. */
  readonly series: NamedSeries;
}

export type Layout = LongLayout | WideLayout;

const identityNames: Readonly<Record<keyof IdentityColumns, readonly string[]>> = {
  timestamp: ["timestamp"],
  gpuId: ["gpu_id"],
  uuid: ["uuid"],
  hostname: ["hostname"],
  clusterId: ["cluster_id", "cluster", "cluster_name", "k8s_cluster_name", "k8s.cluster.name"],
  device: ["device"],
  modelName: ["model_name"],
  container: ["container", "container_name"],
  pod: ["pod", "pod_name"],
  namespace: ["namespace", "pod_namespace"],
  labels: ["labels_raw", "labels"],
};
const longNames = ["metric_name", "value"];

const spellingByNormalName: ReadonlyMap<string, Spelling> = new Map(
  // of spellings with the same normal name, which have the same meaning, the first one
  spellings.toReversed().map((spelling) => [normalName(spelling.name), spelling]),
);
const labelNameByNormalName: ReadonlyMap<string, string> = new Map([
  ...labelFields.map(({ name }) => [normalName(name), name] as const),
  ...labelSpellings.map(([spelling, name]) => [normalName(spelling), name] as const),
  ...[...columnsOfLabels, "pci_bus_id"].map((name) => [normalName(name), name] as const),
]);

/** The columns of a table of dcgm-exporter's metrics, in order. */
export const exporterHeader: readonly string[] = [
  ...["timestamp", "metric_name", "gpu_id", "device", "uuid", "modelName"],
  ...["Hostname", "container", "pod", "namespace", "value", "labels_raw"],
];
const exporterColumns = exporterHeader.map(normalName);

/** True for the layout that the fast lane reads. */
export function isExporterLayout({ form, header }: Layout): boolean {
  const isSameLength = header.length === exporterColumns.length;
  return (
    form === "long" && isSameLength && header.every((name, column) => normalName(name) === exporterColumns[column])
  );
}

/** Finds the layout by the header's column names, which may be in any order.
 *  @param needsHost false if rows without a host belong to a known one; a table of nvidia-smi never needs the column
 *  @throws UnusableSource that names the missing columns and those found, or two columns with the same meaning */
export function detectLayout(columnNames: readonly string[], path: string, needsHost = true): Layout {
  const header = columnNames.map((name) => name.trim());
  const columns = new HeaderColumns(header, path);
  const isSmi = columns.smi !== undefined;
  const required = isSmi || !needsHost ? requiredNames.filter((name) => name !== "hostname") : requiredNames;
  const missing = required.filter((name) => columns.take([name]) === noColumn);
  const long = longNames.filter((name) => columns.take([name]) !== noColumn);
  const metricColumns = columns.takeAll(spellingOfColumn, "spelling");
  const hasMetrics = metricColumns.length > 0 || columns.take(customNames) !== noColumn;
  if (long.length === longNames.length && missing.length === 0) return longLayout(header, path);
  if (long.length === 0 && missing.length === 0 && hasMetrics) return wideLayout(header, path);
  if (long.length > 0) missing.push(...longNames.filter((name) => !long.includes(name)));
  else if (!hasMetrics) missing.push(aMetric);
  throw new MissingColumns(`${path} ${problemOf(header, missing, isSmi)}.`, missing);
}

function longLayout(header: readonly string[], path: string): LongLayout {
  const columns = new HeaderColumns(header, path);
  const identity = identityColumns(columns);
  const [metricName, value] = [columns.take(["metric_name"]), columns.take(["value"])];
  const labelColumns = columns.takeAll(labelOfColumn(seriesLabels), "name");
  const ignoredColumns = columns.rest().map(({ name }) => name);
  const other = { smi: columns.smi, defaultHostname: undefined, decimalSign: "point" as const };
  return { form: "long", header, ...identity, metricName, value, labelColumns, ignoredColumns, ...other };
}

function wideLayout(header: readonly string[], path: string): WideLayout {
  const columns = new HeaderColumns(header, path);
  const identity = identityColumns(columns);
  const [custom, occupants, rollup] = [
    columns.take(customNames),
    columns.take(["occupants"]),
    columns.take(["rollup"]),
  ];
  // a table of the API; in another one, such columns are like any other
  if (columns.take(["telemetry_id"]) !== noColumn || columns.take(["parent_uuid"]) !== noColumn)
    for (const name of derivedNames) columns.take([name]);
  const metricColumns = byRank(withUnits(columns.takeAll(spellingOfColumn, "spelling"), header));
  // a column such as xid is a label only if another column is a metric that it is about
  const names = [...metricColumns.map(({ spelling }) => metrics[spelling.metricIndex]?.name ?? ""), ...header];
  const labelsOfMetrics = seriesLabels.filter((label) =>
    names.some((name) => normalName(name) !== normalName(label) && isAbout(label, name)),
  );
  const labelColumns = columns.takeAll(labelOfColumn(labelsOfMetrics), "name");
  const rest = columns.rest();
  const isUsable = ({ name }: (typeof rest)[number]): boolean =>
    name !== "" &&
    !isRowNumber(name) &&
    invalidText("", name) === undefined &&
    rest.filter((other) => other.name === name).length === 1;
  const customColumns = rest.filter(isUsable).map((column) => ({ ...column, series: namedSeries(column.name) }));
  const ignoredColumns = rest.filter((column) => !isUsable(column)).map(({ name }) => name);
  const other = { smi: columns.smi, defaultHostname: undefined, decimalSign: "point" as const };
  return {
    form: "wide",
    header,
    ...identity,
    metricColumns,
    labelColumns,
    customColumns,
    ignoredColumns,
    custom,
    occupants,
    rollup,
    ...other,
  };
}

/** Decides the unit of a column whose name does not tell it, if the other columns do. */
function withUnits(columns: WideLayout["metricColumns"], header: readonly string[]): WideLayout["metricColumns"] {
  const unit = ratioUnitOf(header);
  if (unit === undefined) return columns;
  return columns.map((column) => (column.spelling.isAmbiguous ? { ...column, spelling: decidedRatio[unit] } : column));
}

/** If a file has metrics under several spellings, sorts the columns by metric, and those of a metric by their ranks. */
function byRank(columns: WideLayout["metricColumns"]): WideLayout["metricColumns"] {
  if (new Set(columns.map(({ spelling }) => spelling.metricIndex)).size === columns.length) return columns;
  return columns.toSorted(({ spelling: a }, { spelling: b }) => a.metricIndex - b.metricIndex || a.rank - b.rank);
}

/** The spelling in a column's name, which may end with a unit. */
function spellingOfColumn(columnName: string): Spelling | undefined {
  const spelled = (name: string): Spelling | undefined => spellingByNormalName.get(normalName(name));
  return spelled(columnName) ?? spellingWithUnit(columnName, spelled);
}

function labelOfColumn(labels: readonly string[]): (columnName: string) => string | undefined {
  const all = new Map([...labelNameByNormalName, ...labels.map((name) => [normalName(name), name] as const)]);
  return (name) => all.get(normalName(name));
}

function identityColumns(columns: HeaderColumns): IdentityColumns {
  const entries = Object.entries(identityNames).map(([key, names]) => [key, columns.take(names)]);
  return Object.fromEntries(entries) as IdentityColumns;
}

/** Finds the header's columns by name, and remembers which of them were taken. */
class HeaderColumns {
  private readonly taken = new Set<number>();
  private readonly normalNames: readonly string[];
  readonly smi: SmiTable | undefined;
  /** The header, with our names of other programs' columns. */
  private readonly names: readonly string[];

  constructor(
    private readonly header: readonly string[],
    private readonly path: string,
  ) {
    this.smi = smiTableOf(header);
    this.names = withOurNames(this.smi?.names ?? header, normalName);
    this.normalNames = this.names.map(normalName);
  }

  /** @returns the column of the first of `names` that the header has, or `noColumn`
   *  @throws UnusableSource if two columns have this name */
  take(names: readonly string[]): number {
    for (const name of names.map(normalName)) {
      const column = this.normalNames.indexOf(name);
      if (column === noColumn) continue;
      this.refuseSecond(column, this.normalNames.indexOf(name, column + 1));
      this.taken.add(column);
      return column;
    }
    return noColumn;
  }

  /** Takes every column whose name has a meaning, except columns that are already taken.
   *  @returns each column, with its meaning in the property that `key` names
   *  @throws UnusableSource if two columns have the same meaning (see `meaningOf`) */
  takeAll<Key extends string, Value extends string | Spelling>(
    find: (columnName: string) => Value | undefined,
    key: Key,
  ): ({ readonly column: number } & Readonly<Record<Key, Value>>)[] {
    const columnOf = new Map<unknown, number>();
    const found: { readonly column: number }[] = [];
    this.names.forEach((name, column) => {
      const value = this.taken.has(column) ? undefined : find(name);
      if (value === undefined) return;
      this.refuseSecond(columnOf.get(meaningOf(value)) ?? noColumn, column);
      columnOf.set(meaningOf(value), column);
      found.push({ column, [key]: value });
      this.taken.add(column);
    });
    return found as never;
  }

  rest(): { readonly column: number; readonly name: string }[] {
    return this.names.map((name, column) => ({ column, name })).filter(({ column }) => !this.taken.has(column));
  }

  private refuseSecond(first: number, second: number): void {
    if (first === noColumn || second === noColumn) return;
    throw new UnusableSource(`${this.path} ${sameMeaning(this.header, first, second)}`);
  }
}

/** Our name of a metric and DCGM's mean the same. A table of a fleet may have names of other dialects in addition, because its exporters
 *  have several releases. */
function meaningOf(value: string | Spelling): string | number | Spelling {
  if (typeof value === "string") return value;
  return value.dialect === undefined || value.dialect === "dcgm" ? value.metricIndex : value;
}
