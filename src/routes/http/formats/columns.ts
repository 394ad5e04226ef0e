import type { TObject } from "@sinclair/typebox";
import { metricNames } from "../../../domain/metrics.ts";
import type { DeviceKinds } from "../../../domain/query.ts";
import { gpuSchema } from "../../schemas/gpu.ts";
import { hostSchema, migCounts } from "../../schemas/hierarchy.ts";
import { migFields } from "../../schemas/mig-fields.ts";
import { occupantsField } from "../../schemas/occupants.ts";
import { telemetryRecordSchema } from "../../schemas/telemetry-record.ts";

const catalogue: ReadonlySet<string> = new Set(metricNames);
const migNames: ReadonlySet<string> = new Set([...Object.keys(migFields), ...Object.keys(migCounts)]);
const occupantsNames: ReadonlySet<string> = new Set(Object.keys(occupantsField));

/** An element of a list, as CSV and NDJSON write it. */
export type Row = Readonly<Record<string, unknown>>;

/** The columns of GPUs, in the order of their schema's fields. */
export function gpuColumns(gpus: readonly Row[]): readonly string[] {
  return columnsFor(fieldsOf(gpuSchema), kindsIn(gpus));
}

/** The columns of hosts, in the order of their schema's fields. */
export function hostColumns(hosts: readonly Row[]): readonly string[] {
  return columnsFor(fieldsOf(hostSchema), kindsIn(hosts));
}

/** The columns of records, in the order of their schema's fields.
 *  @param names the metrics that the request names; undefined for all
 *  @param kinds the devices that the records may be of: only then is there a column for what these have */
export function recordColumns(names: readonly string[] | undefined, kinds: DeviceKinds): readonly string[] {
  const columns = columnsFor(fieldsOf(telemetryRecordSchema), kinds);
  return names === undefined ? columns : columns.filter((name) => !catalogue.has(name) || names.includes(name));
}

/** The kinds of devices that rows are of. */
export function kindsIn(rows: readonly Row[]): DeviceKinds {
  const haveAny = (names: ReadonlySet<string>): boolean =>
    rows.some((row) => [...names].some((name) => Object.hasOwn(row, name)));
  return { hasMigInstances: haveAny(migNames), hasSharedDevices: haveAny(occupantsNames) };
}

function columnsFor(columns: readonly string[], kinds: DeviceKinds): readonly string[] {
  return columns.filter(
    (name) => (kinds.hasMigInstances || !migNames.has(name)) && (kinds.hasSharedDevices || !occupantsNames.has(name)),
  );
}

function fieldsOf(schema: TObject): readonly string[] {
  return Object.keys(schema.properties);
}
