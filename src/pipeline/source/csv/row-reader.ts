import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { labelNameOf, metrics } from "../../../domain/metrics.ts";
import { hasLabels } from "../../../domain/series-of-metric.ts";
import type { Position } from "../../../domain/range.ts";
import { meansNoValue } from "../../../domain/value.ts";
import type { GpuCache } from "../labels/gpu-cache.ts";
import { attributeText } from "../labels/labels.ts";
import { type CustomColumn, type Layout, type LongLayout, type WideLayout } from "./layout.ts";
import { valueColumnsOf } from "./decimal-sign.ts";
import { isSameHeader } from "./header-rows.ts";
import {
  type CellError,
  isRollupCell,
  type ListedMetric,
  metricsInCell,
  readListed,
  rollupError,
  workloadsInCell,
} from "./json-cells.ts";
import { type FieldError, invalidText, missingField } from "../../../domain/field-rules.ts";
import { otherHeader, type Rejections, type RowPlace, wrongColumnCount } from "./rejections.ts";
import { cell, type RowIdentity, RowIdentityReader } from "./row-identity.ts";
import { namedWorkload } from "./row-workload.ts";
import { type Sample, SampleRecorder } from "../labels/sample-recorder.ts";
import { labelsAbout, namedSeries, type NamedSeries } from "../labels/series-labels.ts";
import { readMeasuredValue } from "../../../domain/measured-value.ts";
import { readValue } from "../../../domain/value-text.ts";

/** A number with a comma, but with no other comma or point: `1.234,5` has a separator of thousands. */
const decimalComma = /^([^.,]*),(\d[^.,]*)$/;
/** A number that is another one if its points are separators of thousands. */
const perhapsThousands = /^\s*[+-]?[1-9]\d{0,2}(?:\.\d{3})+\s*$/;
const commaThousands = /^\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+\s*$/;
const noColumns: ReadonlySet<number> = new Set();

/** The parts that a RowReader works with. */
export interface RowReaderParts {
  readonly layout: Layout;
  readonly gpus: GpuCache;
  readonly builder: BatchBuilder;
  readonly rejections: Rejections;
  /** Called when a cell of a custom column is neither a number nor missing. */
  readonly onUnread: (columnName: string) => void;
  /** Added to every time. */
  readonly shiftMs: number;
  /** Where another table begins, whose rows are rejected; undefined if there is none. */
  readonly otherTable: Position | undefined;
}

/** The content of a long row, except its time and value. */
export interface RecognizedRow {
  /** The GPU or MIG instance that the row is about. */
  readonly device: Gpu;
  /** The device of the row's board metrics. */
  readonly board: Gpu;
  readonly workload: Workload;
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
  /** How the row spells a metric of the catalogue. */
  readonly spelling: Spelling | undefined;
}

/** What a record of JSON lists, which a table has in cells with JSON. */
export interface ListedInRecord {
  /** Workloads that hold the device, besides the one that its cells name. */
  readonly occupants: readonly Workload[];
  /** Metrics by name. */
  readonly custom: readonly ListedMetric[];
}

/** Applies the rules for rows: adds their values to the batch, and rejects rows and values that cannot be used. */
export class RowReader {
  private readonly identities: RowIdentityReader;
  private readonly recorder: SampleRecorder;
  /** Undefined if numbers have decimal points. */
  private readonly numberColumns: ReadonlySet<number> | undefined;
  /** The columns of the row whose numbers may have separators of thousands. */
  private ambiguous = noColumns;

  constructor(private readonly parts: RowReaderParts) {
    this.identities = new RowIdentityReader(parts.layout, parts.gpus);
    this.recorder = new SampleRecorder(parts.builder);
    this.numberColumns = parts.layout.decimalSign === "point" ? undefined : numberColumnsOf(parts.layout);
  }

  /** @param listed what a wide row lists in addition to its cells
   *  @returns the GPU, workload and metric of a long row, even if its value is missing or rejected; undefined for a wide
   *  row, a row that reports a label or has series labels, a repeated header, or a row that is rejected as a whole */
  read(written: readonly string[], place: RowPlace, listed?: ListedInRecord): RecognizedRow | undefined {
    const { layout, builder, otherTable } = this.parts;
    if (otherTable !== undefined && place.start >= otherTable.offset) {
      this.reject(place, otherHeader(otherTable.line));
      return undefined;
    }
    if (written.length !== layout.header.length) {
      this.reject(place, wrongColumnCount(written.length, layout.header.length));
      return undefined;
    }
    const fields = this.withPoints(layout.smi?.cells(written) ?? written);
    const identity = this.identities.read(fields);
    if ("reason" in identity) {
      if (isSameHeader(written, layout)) builder.count("repeatedHeaders");
      else this.reject(place, identity);
      return undefined;
    }
    if (layout.form === "wide" && isRollupCell(fields[layout.rollup] ?? "")) {
      this.reject(place, rollupError(layout.header[layout.rollup] ?? "", fields[layout.rollup] ?? ""));
      return undefined;
    }
    builder.count("rows");
    builder.moveTo(place.line, place.start);
    if (layout.form === "long") return this.readLong(layout, fields, { place, identity, listed });
    this.readWide(layout, fields, { place, identity, listed });
    return undefined;
  }

  /** The cells with decimal points instead of decimal commas. A number that may have separators of thousands, because the file or the row has
   *  the other sign, is not read. */
  private withPoints(fields: readonly string[]): readonly string[] {
    const { numberColumns } = this;
    if (numberColumns === undefined) return fields;
    this.ambiguous = this.ambiguousIn(fields);
    return fields.map((text, column) =>
      numberColumns.has(column) && !this.ambiguous.has(column) ? text.replace(decimalComma, "$1.$2") : text,
    );
  }

  private ambiguousIn(fields: readonly string[]): ReadonlySet<number> {
    const { layout } = this.parts;
    // loggers write a time with a comma and numbers with points
    const columns = [...valueColumnsOf(layout)];
    const cellsLike = (form: RegExp): number[] => columns.filter((column) => form.test(fields[column] ?? ""));
    const [points, commas] = [cellsLike(perhapsThousands), cellsLike(commaThousands)];
    if (points.length + commas.length === 0) return noColumns;
    if (layout.decimalSign === "mixed") return new Set([...points, ...commas]);
    if (layout.decimalSign === "comma" || cellsLike(decimalComma).length > 0) return new Set(points);
    return noColumns;
  }

  /** Counts a row and rejects it as a whole. */
  reject(place: RowPlace, error: FieldError): void {
    this.parts.builder.count("rows");
    this.parts.rejections.add(place, error);
  }

  private readLong(layout: LongLayout, fields: readonly string[], row: IdentifiedRow): RecognizedRow | undefined {
    const { builder, rejections } = this.parts;
    const { device, board, workload, series } = row.identity;
    const name = cell(fields, layout.metricName).trim();
    const field = layout.header[layout.metricName] ?? "";
    const error = name === "" ? missingField(field) : invalidText(field, name);
    if (error !== undefined) {
      rejections.add(row.place, error);
      return undefined;
    }
    const text = fields[layout.value] ?? "";
    const label = labelNameOf(name);
    if (label !== undefined) {
      if (meansNoValue(text)) builder.count("missing");
      else this.describe(row.identity, [label, attributeText(text.trim())]);
      return undefined;
    }
    const { metric, labels, spelling } = namedSeries(name, series);
    this.addValue(row, layout.value, { metric, labels, spelling, text });
    return hasLabels(labels) ? undefined : { device, board, workload, metric, spelling };
  }

  private readWide(layout: WideLayout, fields: readonly string[], row: IdentifiedRow): void {
    const { listed } = row;
    let values = this.addColumns(layout, fields, row);
    const custom = listed?.custom ?? this.inCell(row, layout.custom, metricsInCell(fields[layout.custom] ?? ""));
    for (const metric of custom) values += Number(this.addListed(row, layout.header[layout.custom] ?? "", metric));
    const { occupants } = layout;
    const workloads = listed?.occupants ?? this.inCell(row, occupants, workloadsInCell(fields[occupants] ?? ""));
    if (values > 0) this.share(row.identity, workloads);
  }

  /** @returns how many values the columns of the row have */
  private addColumns(layout: WideLayout, fields: readonly string[], row: IdentifiedRow): number {
    const { series } = row.identity;
    let lastMetric = -1;
    let values = 0;
    for (const { column, spelling } of layout.metricColumns) {
      const { metricIndex: metric } = spelling;
      if (metric === lastMetric) continue; // a column with another spelling has had the value
      const labels = labelsAbout(metrics[metric]?.name ?? "", series);
      const hasValue = this.addValue(row, column, { metric, labels, spelling, text: fields[column] ?? "" });
      if (hasValue) lastMetric = metric;
      values += Number(hasValue);
    }
    for (const { column, name, series: named } of layout.customColumns) {
      const text = fields[column] ?? "";
      const { metric, spelling } = named;
      const about = labelsAbout(typeof metric === "number" ? (metrics[metric]?.name ?? "") : metric, series);
      const labels = hasLabels(named.labels) ? { ...named.labels, ...about } : about;
      const hasValue =
        typeof metric === "number"
          ? this.addValue(row, column, { metric, labels, spelling, text })
          : this.addCustom(row, { column, name }, { metric, labels, spelling, text });
      values += Number(hasValue);
    }
    return values;
  }

  /** What a cell with JSON lists; nothing if it cannot be read, and is rejected. */
  private inCell<Listed>(row: IdentifiedRow, column: number, read: readonly Listed[] | CellError): readonly Listed[] {
    if (!("reason" in read)) return read;
    const { rejections, layout } = this.parts;
    rejections.add(row.place, { ...read, field: layout.header[column] ?? "" });
    return [];
  }

  /** Adds a metric that is listed by its name.
   *  @returns whether it has a value */
  private addListed(row: IdentifiedRow, field: string, metric: ListedMetric): boolean {
    const { builder, rejections } = this.parts;
    const read = readListed(metric, field, row.identity.series);
    if (read === "missing") builder.count("missing");
    else if ("reason" in read) rejections.add(row.place, read);
    else if ("label" in read) this.describe(row.identity, read.label);
    else this.add(row, field, read.sample);
    return typeof read === "object" && "sample" in read;
  }

  /** Adds the value of a column that may not be that of a metric: a text is no error, and an empty cell is no missing value.
   *  @returns whether the cell has a value */
  private addCustom(row: IdentifiedRow, { column, name }: Pick<CustomColumn, "column" | "name">, cell: Cell): boolean {
    const { layout, onUnread } = this.parts;
    if (this.ambiguous.has(column)) return this.rejectAmbiguous(row, column, cell.text);
    const value = readValue(cell.metric, cell.text);
    if (typeof value === "number") this.add(row, layout.header[column] ?? "", { ...cell, value });
    else if (value !== "missing") onUnread(name);
    return typeof value === "number";
  }

  private rejectAmbiguous(row: IdentifiedRow, column: number, text: string): false {
    const { rejections, layout } = this.parts;
    const field = layout.header[column] ?? "";
    rejections.add(row.place, { reason: "invalid_value", field, value: text, message: ambiguousText(text) });
    return false;
  }

  /** Adds the value of a cell, or counts it as missing, or rejects it.
   *  @returns whether the cell has a value */
  private addValue(row: IdentifiedRow, column: number, { metric, labels, spelling, text }: Cell): boolean {
    const { builder, rejections, layout } = this.parts;
    const field = layout.header[column] ?? "";
    if (this.ambiguous.has(column)) return this.rejectAmbiguous(row, column, text);
    const value = readMeasuredValue(spelling ?? metric, text);
    if (value === "missing") builder.count("missing");
    else if (typeof value === "number") this.add(row, field, { metric, labels, value });
    else rejections.add(row.place, { ...value, field, value: text });
    return typeof value === "number";
  }

  private add({ identity, place }: IdentifiedRow, field: string, sample: Sample): void {
    const timeMs = identity.timeMs + this.parts.shiftMs;
    const error = this.recorder.add(field, sample, { subject: identity, timeMs });
    if (error !== undefined) this.parts.rejections.add(place, error);
  }

  /** Adds an attribute that a row reports like a metric, e.g. DCGM_FI_DEV_SERIAL. The attribute belongs to `board`. */
  private describe({ board, timeMs }: RowIdentity, label: readonly [name: string, text: string]): void {
    const { gpus, shiftMs } = this.parts;
    this.recorder.describe(gpus.withLabel(board, label), timeMs + shiftMs);
  }

  /** Adds workloads to the record of a row that has values. A row whose board metrics belong to another device than its own names one
   *  workload. */
  private share({ device, board, timeMs }: RowIdentity, occupants: readonly Workload[]): void {
    if (device !== board) return;
    this.recorder.share(device, timeMs + this.parts.shiftMs, occupants.map(namedWorkload));
  }
}

function ambiguousText(text: string): string {
  return (
    `The value ${JSON.stringify(text.trim())} may have a separator of thousands: other numbers have the other decimal sign; ` +
    "write it without separators of thousands."
  );
}

/** The columns in which a comma is a decimal point. */
function numberColumnsOf(layout: Layout): ReadonlySet<number> {
  const { timestamp, gpuId } = layout;
  return new Set([timestamp, gpuId, ...valueColumnsOf(layout)]);
}

interface Cell extends NamedSeries {
  readonly text: string;
}

interface IdentifiedRow {
  readonly place: RowPlace;
  readonly identity: RowIdentity;
  readonly listed: ListedInRecord | undefined;
}
