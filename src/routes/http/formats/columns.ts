import type { TObject } from "@sinclair/typebox";
import { metricNames } from "../../../domain/metrics.ts";
import type { DeviceKinds } from "../../../domain/query.ts";
import { migCounts } from "../../schemas/hierarchy.ts";
import { migFields } from "../../schemas/mig-fields.ts";
import { occupantsField } from "../../schemas/occupants.ts";

const catalogue: ReadonlySet<string> = new Set(metricNames);
const migNames: ReadonlySet<string> = new Set([...Object.keys(migFields), ...Object.keys(migCounts)]);
const occupantsNames: ReadonlySet<string> = new Set(Object.keys(occupantsField));

/** An element of a list, as CSV, NDJSON and Parquet write it. */
export type Row = Readonly<Record<string, unknown>>;

/** The columns of rows that are all known, in the order of their schema's fields: those that every element has, those that are asked for,
 *  and those in which a row has a value.
 *  @param asked names that the request names */
export function filledColumns(schema: TObject, rows: readonly Row[], asked: readonly string[] = []): readonly string[] {
  const kept = new Set([...(schema.required ?? []), ...asked]);
  for (const row of rows) for (const name in row) if (row[name] !== undefined && row[name] !== null) kept.add(name);
  return fieldsOf(schema).filter((name) => kept.has(name));
}

/** The columns of records that are not known yet, in the order of their schema's fields.
 *  @param schema of a record, or of a record as Parquet has it
 *  @param names the metrics that the request names; undefined for all
 *  @param kinds the devices that the records may be of: only then is there a column for what these have */
export function recordColumns(
  schema: TObject,
  names: readonly string[] | undefined,
  kinds: DeviceKinds,
): readonly string[] {
  const columns = columnsFor(fieldsOf(schema), kinds);
  return names === undefined ? columns : columns.filter((name) => !catalogue.has(name) || names.includes(name));
}

function columnsFor(columns: readonly string[], kinds: DeviceKinds): readonly string[] {
  return columns.filter(
    (name) => (kinds.hasMigInstances || !migNames.has(name)) && (kinds.hasSharedDevices || !occupantsNames.has(name)),
  );
}

function fieldsOf(schema: TObject): readonly string[] {
  return Object.keys(schema.properties);
}
