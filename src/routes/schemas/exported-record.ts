import { type TObject, Type } from "@sinclair/typebox";
import { type Gpu, type Occupants, occupantsOf } from "../../domain/gpu.ts";
import { metricNames } from "../../domain/metrics.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { telemetryRecordSchema, toApiRecord } from "./telemetry-record.ts";

const { rollup: _, ...fields } = telemetryRecordSchema.properties;

/** A record as Parquet has it, in the archive and in exports: also with the labels of its GPU, so that what is read back is the same. Its
 *  fields are the columns, in this order. */
export const exportedRecordSchema: TObject = Type.Object({
  ...fields,
  driver_version: Type.Optional(Type.String({ description: "e.g. 535.129.03" })),
  properties: Type.Optional(Type.String({ description: "The other labels of the GPU, as a JSON object" })),
});

/** Many records have the same labels. */
const texts = new WeakMap<Gpu["properties"], string>();

function textOf(properties: Gpu["properties"]): string {
  let text = texts.get(properties);
  if (text === undefined) texts.set(properties, (text = JSON.stringify(properties)));
  return text;
}

/** A record as Parquet has it. */
export function toExportedRecord(record: StoredRecord): Readonly<Record<string, unknown>> {
  const { driverVersion, properties } = record.gpu;
  const row = toApiRecord(record);
  if (driverVersion !== "") row["driver_version"] = driverVersion;
  if (Object.keys(properties).length > 0) row["properties"] = textOf(properties);
  return row;
}

const catalogue: ReadonlySet<string> = new Set(metricNames);

/** The record of a row, as `toExportedRecord` makes it and a Parquet file has it: objects and lists are texts. */
export function fromExportedRecord(row: Readonly<Record<string, unknown>>): StoredRecord {
  const text = (name: string): string => (typeof row[name] === "string" ? row[name] : "");
  const json = (name: string): unknown => (typeof row[name] === "string" ? JSON.parse(row[name]) : undefined);
  const gpu = {
    uuid: text("uuid"),
    clusterId: text("cluster_id"),
    hostname: text("hostname"),
    gpuId: Number(text("gpu_id")),
    device: text("device"),
    modelName: text("model_name"),
    driverVersion: text("driver_version"),
    properties: (json("properties") ?? {}) as Gpu["properties"],
  };
  const metrics: Record<string, number> = {};
  for (const name in row) {
    const value = row[name];
    if (catalogue.has(name) && typeof value === "number") metrics[name] = value;
  }
  const only = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  return {
    gpu,
    timeMs: Date.parse(text("timestamp")),
    metrics,
    custom: (json("custom") ?? {}) as StoredRecord["custom"],
    occupants: (json("occupants") as Occupants | undefined) ?? occupantsOf([only]),
  };
}
