import { type TObject, Type } from "@sinclair/typebox";
import type { Gpu } from "../../domain/gpu.ts";
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
