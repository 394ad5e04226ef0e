import { meansNoValue } from "../../../domain/value.ts";
import { parseTimestamp, type TimestampError } from "../../../domain/timestamp.ts";
import { type FieldError, invalidText, parseGpuId } from "../../../domain/field-rules.ts";
import type { GpuCache, RowSubject } from "../labels/gpu-cache.ts";
import { identityError, type NamedText } from "../labels/identity-error.ts";
import { exportedPrefix, type LabelCell } from "../labels/labels.ts";
import type { Layout } from "./layout.ts";
import { RowWorkloadReader } from "./row-workload.ts";

/** The instant, the device and the workload of a row. */
export interface RowIdentity extends RowSubject {
  readonly timeMs: number;
}

/** Reads a row's identity, in either layout. */
export class RowIdentityReader {
  private lastTimestamp: string | undefined;
  private lastTimeMs = NaN;
  private readonly workloads: RowWorkloadReader;
  /** The columns of a row's subject. */
  private readonly subjectColumns: readonly number[];

  constructor(
    private readonly layout: Layout,
    private readonly gpus: GpuCache,
  ) {
    this.workloads = new RowWorkloadReader(layout);
    const { uuid, hostname, clusterId, gpuId, device, modelName, container, pod, namespace, labels, labelColumns } =
      layout;
    const columns = [uuid, hostname, clusterId, gpuId, device, modelName, container, pod, namespace, labels];
    this.subjectColumns = [...columns, ...labelColumns.map(({ column }) => column)].filter((column) => column >= 0);
  }

  /** @returns the row's identity, or its first error, in this order: a wrong timestamp, a wrong gpu_id, no uuid, no
   *  hostname, an invalid text, a workload of the labels with an invalid text */
  read(fields: readonly string[]): RowIdentity | FieldError {
    const timeMs = this.timeOf(fields[this.layout.timestamp] ?? "");
    if (typeof timeMs !== "number") return timeMs;
    const key = this.subjectKey(fields);
    const known = this.gpus.rows.get(key);
    if (known !== undefined) return identityOf(timeMs, known);
    const subject = this.readSubject(fields);
    if ("reason" in subject) return subject;
    this.gpus.rows.set(key, subject);
    return identityOf(timeMs, subject);
  }

  /** Rows contain no NUL, so different cells have different keys. */
  private subjectKey(fields: readonly string[]): string {
    let key = "";
    for (const column of this.subjectColumns) key += `${fields[column] ?? ""}\0`;
    return key;
  }

  private readSubject(fields: readonly string[]): RowSubject | FieldError {
    const { layout } = this;
    const gpuId = parseGpuId(this.columnName(layout.gpuId), fields[layout.gpuId] ?? "");
    if (typeof gpuId !== "number") return gpuId;
    const error = this.textError(fields);
    if (error !== undefined) return error;
    const found = this.gpus.deviceOf({
      uuid: cell(fields, layout.uuid),
      hostname: this.hostnameOf(fields),
      clusterId: valueIn(fields, layout.clusterId),
      gpuId,
      device: cell(fields, layout.device),
      modelName: cell(fields, layout.modelName),
      labels: fields[layout.labels] ?? "",
      labelCells: labelCells(layout, fields),
    });
    const { device, board, series } = found;
    // the uuid of a MIG instance has parts that come from labels
    const uuidError = device === board ? undefined : invalidText(this.columnName(layout.uuid), device.uuid);
    if (uuidError !== undefined) return uuidError;
    const workload = this.workloads.read(fields, found);
    return "reason" in workload ? workload : { device, board, series, workload };
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
    const { uuid, hostname, clusterId, device, modelName, container, pod, namespace } = this.layout;
    const named = (column: number): NamedText => ({ field: this.columnName(column), text: cell(fields, column) });
    const host = { field: this.columnName(hostname), text: this.hostnameOf(fields) };
    const others = [clusterId, device, modelName, container, pod, namespace].map(named);
    return identityError({ uuid: named(uuid), hostname: host }, others);
  }

  private hostnameOf(fields: readonly string[]): string {
    const text = cell(fields, this.layout.hostname);
    const { defaultHostname } = this.layout;
    return defaultHostname !== undefined && meansNoValue(text) ? defaultHostname : text;
  }

  private columnName(column: number): string {
    return this.layout.header[column] ?? "";
  }
}

function identityOf(timeMs: number, { device, board, series, workload }: RowSubject): RowIdentity {
  return { timeMs, device, board, series, workload };
}

/** The text of a cell without the white space around it; empty if the row has no such cell. */
export function cell(fields: readonly string[], column: number): string {
  return (fields[column] ?? "").trim();
}

/** The text of a cell; undefined if it says that there is none, or the row has no such cell. */
function valueIn(fields: readonly string[], column: number): string | undefined {
  const text = cell(fields, column);
  return meansNoValue(text) ? undefined : text;
}

/** The cells of the label columns. Cells without a value are left out, except those of columns such as exported_pod: even an
 *  empty one shows that the column pod has the exporter's own pod. */
function labelCells({ labelColumns }: Layout, fields: readonly string[]): LabelCell[] {
  return labelColumns.flatMap(({ column, name }): LabelCell[] => {
    const text = (fields[column] ?? "").trim();
    if (!meansNoValue(text)) return [[name, text]];
    return name.startsWith(exportedPrefix) ? [[name, ""]] : [];
  });
}
