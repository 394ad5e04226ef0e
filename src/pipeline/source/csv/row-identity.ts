import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { noWorkload } from "../../../domain/gpu.ts";
import { meansNoValue } from "../../../domain/value.ts";
import { parseTimestamp, type TimestampError } from "../../../domain/timestamp.ts";
import { cutText } from "../../../domain/cut-text.ts";
import { type FieldError, fieldMaxLength, invalidText, missingField, parseGpuId } from "../../../domain/field-rules.ts";
import type { GpuCache } from "./gpu-cache.ts";
import type { Layout } from "./layout.ts";

/** The instant, the GPU and the workload of a row. */
export interface RowIdentity {
  readonly timeMs: number;
  readonly gpu: Gpu;
  readonly workload: Workload;
}

/** Reads a row's identity, in either layout. */
export class RowIdentityReader {
  private lastTimestamp: string | undefined;
  private lastTimeMs = NaN;
  private lastWorkload = noWorkload;

  constructor(
    private readonly layout: Layout,
    private readonly gpus: GpuCache,
  ) {}

  /** @returns the row's identity, or its first error, in this order: a wrong timestamp, a wrong gpu_id, an empty uuid, an
   *  empty hostname, an invalid text */
  read(fields: readonly string[]): RowIdentity | FieldError {
    const { layout } = this;
    const timeMs = this.timeOf(fields[layout.timestamp] ?? "");
    if (typeof timeMs !== "number") return timeMs;
    const gpuId = parseGpuId(this.columnName(layout.gpuId), fields[layout.gpuId] ?? "");
    if (typeof gpuId !== "number") return gpuId;
    const error = this.textError(fields);
    if (error !== undefined) return error;
    const gpu = this.gpus.gpuOf({
      uuid: cell(fields, layout.uuid),
      hostname: cell(fields, layout.hostname),
      gpuId,
      device: cell(fields, layout.device),
      modelName: cell(fields, layout.modelName),
      labels: fields[layout.labels] ?? "",
      labelCells: labelCells(layout, fields),
    });
    return { timeMs, gpu, workload: this.workloadOf(fields) };
  }

  private timeOf(text: string): number | FieldError {
    if (text === this.lastTimestamp) return this.lastTimeMs;
    const parsed = parseTimestamp(text);
    if ("reason" in parsed) return this.timestampError(text, parsed);
    this.lastTimestamp = text;
    this.lastTimeMs = parsed.ms;
    return parsed.ms;
  }

  private timestampError(text: string, { reason, message }: TimestampError): FieldError {
    return { reason, field: this.columnName(this.layout.timestamp), value: text, message };
  }

  private textError(fields: readonly string[]): FieldError | undefined {
    const { uuid, hostname, device, modelName, container, pod, namespace } = this.layout;
    for (const column of [uuid, hostname]) {
      if (cell(fields, column) === "") return missingField(this.columnName(column));
    }
    for (const column of [uuid, hostname, device, modelName, container, pod, namespace]) {
      const error = invalidText(this.columnName(column), cell(fields, column));
      if (error !== undefined) return error;
    }
    return undefined;
  }

  private workloadOf(fields: readonly string[]): Workload {
    const { layout, lastWorkload } = this;
    const container = cell(fields, layout.container);
    const pod = cell(fields, layout.pod);
    const namespace = cell(fields, layout.namespace);
    if (container === "" && pod === "" && namespace === "") return noWorkload;
    const same = container === lastWorkload.container && pod === lastWorkload.pod;
    if (!same || namespace !== lastWorkload.namespace) this.lastWorkload = { container, pod, namespace };
    return this.lastWorkload;
  }

  private columnName(column: number): string {
    return this.layout.header[column] ?? "";
  }
}

/** The text of a cell without the spaces around it; empty if the row has no such cell. */
export function cell(fields: readonly string[], column: number): string {
  const text = fields[column] ?? "";
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === " ") start += 1;
  while (end > start && text[end - 1] === " ") end -= 1;
  return text.slice(start, end);
}

/** Trims a GPU's attribute, and cuts it to the length that is stored. */
export function attributeText(text: string): string {
  return cutText(text.trim(), fieldMaxLength);
}

function labelCells(layout: Layout, fields: readonly string[]): [string, string][] {
  if (layout.form === "long") return [];
  return layout.labelColumns
    .map(({ column, name }): [string, string] => [name, attributeText(fields[column] ?? "")])
    .filter(([, value]) => !meansNoValue(value));
}
