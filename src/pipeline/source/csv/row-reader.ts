import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { labelNameOf, metricIndexOf, metrics } from "../../../domain/metrics.ts";
import { parseSeries } from "../../../domain/series.ts";
import { meansNoValue } from "../../../domain/value.ts";
import type { GpuCache } from "./gpu-cache.ts";
import type { ParsedLabels } from "./labels.ts";
import { type Layout, type LongLayout, normalName, type WideLayout } from "./layout.ts";
import { type FieldError, invalidText, missingField } from "../../../domain/field-rules.ts";
import { type Rejections, type RowPlace, wrongColumnCount } from "./rejections.ts";
import { attributeText, cell, type RowIdentity, RowIdentityReader } from "./row-identity.ts";
import { hasLabels, labelsAbout, seriesNameOf } from "./series-labels.ts";
import { readValue } from "../../../domain/value-text.ts";

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
}

/** Applies the rules for rows: adds their values to the batch, and rejects rows and values that cannot be used. */
export class RowReader {
  private readonly identities: RowIdentityReader;
  private readonly normalHeader: readonly string[];
  /** The indexes of the last record's GPU and workload: the next one often has the same. */
  private gpuHint = -1;
  private workloadHint = 0;

  constructor(private readonly parts: RowReaderParts) {
    this.identities = new RowIdentityReader(parts.layout, parts.gpus);
    this.normalHeader = parts.layout.header.map(normalName);
  }

  /** @returns the GPU, workload and metric of a long row, even if its value is missing or rejected; undefined for a wide
   *  row, a row that reports a label or has series labels, a repeated header, or a row that is rejected as a whole */
  read(fields: readonly string[], place: RowPlace): RecognizedRow | undefined {
    const { layout, builder } = this.parts;
    if (fields.length !== layout.header.length) {
      this.reject(place, wrongColumnCount(fields.length, layout.header.length));
      return undefined;
    }
    const identity = this.identities.read(fields);
    if ("reason" in identity) {
      if (this.isHeader(fields)) builder.count("repeatedHeaders");
      else this.reject(place, identity);
      return undefined;
    }
    builder.count("rows");
    builder.moveTo(place.line, place.start);
    if (layout.form === "long") return this.readLong(layout, fields, { place, identity });
    this.readWide(layout, fields, { place, identity });
    return undefined;
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
      else this.describe(row.identity, [label, attributeText(text)]);
      return undefined;
    }
    const named = parseSeries(name);
    const metric = metricIndexOf(named?.metric ?? name) ?? named?.metric ?? name;
    const labels = named === undefined ? series : { ...named.labels, ...series };
    const value = readValue(metric, text);
    if (value === "missing") builder.count("missing");
    else if (typeof value === "number") this.add(row.identity, { metric, labels, value });
    else rejections.add(row.place, { ...value, field: layout.header[layout.value] ?? "", value: text });
    return hasLabels(labels) ? undefined : { device, board, workload, metric };
  }

  private readWide(layout: WideLayout, fields: readonly string[], row: IdentifiedRow): void {
    const { builder, rejections, onUnread } = this.parts;
    const { series } = row.identity;
    for (const { column, metricIndex } of layout.metricColumns) {
      const text = fields[column] ?? "";
      const value = readValue(metricIndex, text);
      const labels = labelsAbout(metrics[metricIndex]?.name ?? "", series);
      if (value === "missing") builder.count("missing");
      else if (typeof value === "number") this.add(row.identity, { metric: metricIndex, labels, value });
      else rejections.add(row.place, { ...value, field: layout.header[column] ?? "", value: text });
    }
    for (const { column, name } of layout.customColumns) {
      const value = readValue(name, fields[column] ?? "");
      if (typeof value === "number") this.add(row.identity, { metric: name, labels: labelsAbout(name, series), value });
      else if (value !== "missing") onUnread(name);
    }
  }

  private add(identity: RowIdentity, { metric, labels, value }: Sample): void {
    const { builder } = this.parts;
    const isOfBoard = typeof metric === "number" && metrics[metric]?.scope === "board";
    const record = this.recordOf(identity, isOfBoard ? identity.board : identity.device);
    const series = seriesNameOf(metric, labels) ?? metric;
    if (typeof series === "number") builder.set(record, series, value);
    else builder.setCustom(record, series, value);
  }

  /** Adds an attribute that a row reports like a metric, e.g. DCGM_FI_DEV_SERIAL. The attribute belongs to `board`. */
  private describe(identity: RowIdentity, label: readonly [name: string, text: string]): void {
    const { builder, gpus } = this.parts;
    builder.describe(this.recordOf(identity, gpus.withLabel(identity.board, label)));
  }

  /** Only the record of the row's own device gets the row's workload. */
  private recordOf({ device, timeMs, workload }: RowIdentity, gpu: Gpu): number {
    const { builder, shiftMs } = this.parts;
    let workloadIndex = 0;
    if (gpu.uuid === device.uuid) {
      workloadIndex = builder.workloadIndex(workload, this.workloadHint);
      this.workloadHint = workloadIndex;
    }
    this.gpuHint = builder.gpuIndex(gpu, this.gpuHint);
    return builder.record(this.gpuHint, timeMs + shiftMs, workloadIndex);
  }

  private isHeader(fields: readonly string[]): boolean {
    return fields.every((field, column) => normalName(field) === this.normalHeader[column]);
  }
}

interface Sample {
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
  readonly labels: ParsedLabels["series"];
  readonly value: number;
}

interface IdentifiedRow {
  readonly place: RowPlace;
  readonly identity: RowIdentity;
}
