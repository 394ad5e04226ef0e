import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { labelNameOf, metricIndexOf } from "../../../domain/metrics.ts";
import { meansNoValue } from "../../../domain/value.ts";
import type { GpuCache } from "./gpu-cache.ts";
import { type Layout, type LongLayout, normalName, type WideLayout } from "./layout.ts";
import type { ReportedAttributes } from "./reported-attributes.ts";
import { type FieldError, invalidText, missingField } from "../../../domain/field-rules.ts";
import { type Rejections, type RowPlace, wrongColumnCount } from "./rejections.ts";
import { attributeText, cell, type RowIdentity, RowIdentityReader } from "./row-identity.ts";
import { readValue } from "../../../domain/value-text.ts";

/** The parts that a RowReader works with. */
export interface RowReaderParts {
  readonly layout: Layout;
  readonly gpus: GpuCache;
  readonly builder: BatchBuilder;
  readonly rejections: Rejections;
  readonly attributes: ReportedAttributes;
  /** Added to every time. */
  readonly shiftMs: number;
}

/** The content of a long row, except its time and value. */
export interface RecognizedRow {
  readonly gpu: Gpu;
  readonly workload: Workload;
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
}

/** Applies the rules for rows: adds their values to the batch, and rejects rows and values that cannot be used. */
export class RowReader {
  private readonly identities: RowIdentityReader;
  private readonly normalHeader: readonly string[];

  constructor(private readonly parts: RowReaderParts) {
    this.identities = new RowIdentityReader(parts.layout, parts.gpus);
    this.normalHeader = parts.layout.header.map(normalName);
  }

  /** @returns the GPU, workload and metric of a long row, even if its value is missing or rejected; undefined for a wide
   *  row, a row that reports a label, a repeated header, or a row that is rejected as a whole */
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
    const { builder, rejections, attributes } = this.parts;
    const { gpu, workload } = row.identity;
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
      else attributes.report(gpu.uuid, label, attributeText(text));
      return undefined;
    }
    const metric = metricIndexOf(name) ?? name;
    const value = readValue(metric, text);
    if (value === "missing") builder.count("missing");
    else if (typeof value === "number") this.add(row.identity, metric, value);
    else rejections.add(row.place, { ...value, field: layout.header[layout.value] ?? "", value: text });
    return { gpu, workload, metric };
  }

  private readWide(layout: WideLayout, fields: readonly string[], row: IdentifiedRow): void {
    const { builder, rejections } = this.parts;
    for (const { column, metricIndex } of layout.metricColumns) {
      const text = fields[column] ?? "";
      const value = readValue(metricIndex, text);
      if (value === "missing") builder.count("missing");
      else if (typeof value === "number") this.add(row.identity, metricIndex, value);
      else rejections.add(row.place, { ...value, field: layout.header[column] ?? "", value: text });
    }
  }

  private add(identity: RowIdentity, metric: number | string, value: number): void {
    const { builder, shiftMs } = this.parts;
    const gpuIndex = builder.gpuIndex(identity.gpu);
    const record = builder.record(gpuIndex, identity.timeMs + shiftMs, builder.workloadIndex(identity.workload));
    if (typeof metric === "number") builder.set(record, metric, value);
    else builder.setCustom(record, metric, value);
  }

  private isHeader(fields: readonly string[]): boolean {
    return fields.every((field, column) => normalName(field) === this.normalHeader[column]);
  }
}

interface IdentifiedRow {
  readonly place: RowPlace;
  readonly identity: RowIdentity;
}
