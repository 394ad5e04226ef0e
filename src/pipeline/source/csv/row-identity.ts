import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { noWorkload } from "../../../domain/gpu.ts";
import { saysNoValue } from "../../../domain/value.ts";
import { parseTimestamp, type TimestampFault } from "../../../domain/timestamp.ts";
import { cutText, quoted } from "./cut-text.ts";
import type { GpuCache } from "./gpu-cache.ts";
import type { Layout } from "./layout.ts";
import type { Fault } from "./rejections.ts";

/** Which GPU a row is of, when, and what ran on it. */
export interface RowIdentity {
  readonly timeMs: number;
  readonly gpu: Gpu;
  readonly workload: Workload;
}

const gpuIdMax = 1_000_000;
const fieldMaxLength = 256;
const wholeNumber = /^\d{1,7}$/;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/** Reads the columns that both layouts have. */
export class RowIdentityReader {
  private lastTimestamp: string | undefined;
  private lastTimeMs = NaN;
  private lastWorkload = noWorkload;

  constructor(
    private readonly layout: Layout,
    private readonly gpus: GpuCache,
  ) {}

  /** @returns the first fault from left to right of: timestamp, gpu_id, uuid, hostname, the other texts */
  read(fields: readonly string[]): RowIdentity | Fault {
    const { layout } = this;
    const timeMs = this.timeOf(fields[layout.timestamp] ?? "");
    if (typeof timeMs !== "number") return timeMs;
    const gpuIdText = (fields[layout.gpuId] ?? "").trim();
    if (!wholeNumber.test(gpuIdText) || Number(gpuIdText) > gpuIdMax) return this.gpuIdFault(gpuIdText);
    const fault = this.textFault(fields);
    if (fault !== undefined) return fault;
    const gpu = this.gpus.gpuOf({
      uuid: cell(fields, layout.uuid),
      hostname: cell(fields, layout.hostname),
      gpuId: Number(gpuIdText),
      device: cell(fields, layout.device),
      modelName: cell(fields, layout.modelName),
      labels: fields[layout.labels] ?? "",
      labelCells: labelCells(layout, fields),
    });
    return { timeMs, gpu, workload: this.workloadOf(fields) };
  }

  private timeOf(text: string): number | Fault {
    if (text === this.lastTimestamp) return this.lastTimeMs;
    const parsed = parseTimestamp(text);
    if ("fault" in parsed) return this.timestampFault(text, parsed);
    this.lastTimestamp = text;
    this.lastTimeMs = parsed.ms;
    return parsed.ms;
  }

  private timestampFault(text: string, { fault, message }: TimestampFault): Fault {
    return { reason: fault, field: this.columnName(this.layout.timestamp), value: text, message };
  }

  private gpuIdFault(text: string): Fault {
    return {
      reason: "invalid_gpu_id",
      field: this.columnName(this.layout.gpuId),
      value: text,
      message: `The gpu_id ${quoted(text)} is not a whole number from 0 to ${gpuIdMax}.`,
    };
  }

  private textFault(fields: readonly string[]): Fault | undefined {
    const { uuid, hostname, device, modelName, container, pod, namespace } = this.layout;
    for (const column of [uuid, hostname]) {
      if (cell(fields, column) === "") return missingField(this.columnName(column));
    }
    for (const column of [uuid, hostname, device, modelName, container, pod, namespace]) {
      const fault = invalidText(this.columnName(column), cell(fields, column));
      if (fault !== undefined) return fault;
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

/** A required text that is not there. */
export function missingField(field: string): Fault {
  return {
    reason: "missing_field",
    field,
    value: "",
    message: `The field ${quoted(field)} is empty; every row needs it.`,
  };
}

/** A name that is no name: too long, or with control characters. */
export function invalidText(field: string, text: string): Fault | undefined {
  if (text.length > fieldMaxLength) {
    const message = `The field ${quoted(field)} has ${text.length} characters; at most ${fieldMaxLength} are taken.`;
    return { reason: "invalid_field", field, value: text, message };
  }
  if (!controlCharacter.test(text)) return undefined;
  const message = `The field ${quoted(field)} holds a control character in ${quoted(text)}; names have none.`;
  return { reason: "invalid_field", field, value: text, message };
}

/** A name's text: blanks around it are not part of it. */
export function cell(fields: readonly string[], column: number): string {
  const text = fields[column] ?? "";
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === " ") start += 1;
  while (end > start && text[end - 1] === " ") end -= 1;
  return text.slice(start, end);
}

/** A GPU's attribute as it is kept. */
export function attributeText(text: string): string {
  return cutText(text.trim(), fieldMaxLength);
}

function labelCells(layout: Layout, fields: readonly string[]): [string, string][] {
  if (layout.form === "long") return [];
  return layout.labelColumns
    .map(({ column, name }): [string, string] => [name, attributeText(fields[column] ?? "")])
    .filter(([, value]) => !saysNoValue(value));
}
