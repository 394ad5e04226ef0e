import type { SchemaElement } from "hyparquet";
import { type TObject, type TSchema, TypeGuard } from "@sinclair/typebox";
import type { Row } from "./columns.ts";

/** What the values of a column are; `json` is an object or a list, as text. */
export type Kind = "time" | "number" | "whole" | "flag" | "text" | "json";

/** A column of a Parquet file. */
export interface ParquetColumn {
  readonly name: string;
  readonly kind: Kind;
}

/** In a file, a record is its columns: an id that is made from three of them would take more room than all others. */
const leftOut: ReadonlySet<string> = new Set(["telemetry_id"]);

/** The columns with the kinds that the schema gives them; those that it lacks have the kind of their first value.
 *  @param rows the first rows */
export function parquetColumns(
  names: readonly string[],
  schema: TObject | undefined,
  rows: readonly Row[],
): ParquetColumn[] {
  return names.flatMap((name) => {
    if (leftOut.has(name)) return [];
    const field = schema?.properties[name];
    return [{ name, kind: field === undefined ? kindOfValue(name, rows) : kindOfField(field) }];
  });
}

function kindOfField(field: TSchema): Kind {
  if (TypeGuard.IsNumber(field)) return field.multipleOf === 1 ? "whole" : "number";
  if (TypeGuard.IsBoolean(field)) return "flag";
  if (!TypeGuard.IsString(field)) return "json";
  return field.format === "date-time" ? "time" : "text";
}

function kindOfValue(name: string, rows: readonly Row[]): Kind {
  if (name === "timestamp") return "time";
  const value = rows.find((row) => row[name] !== undefined)?.[name];
  return typeof value === "number" ? "number" : "text";
}

const text: Partial<SchemaElement> = {
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  logical_type: { type: "STRING" },
};

/** A time is an instant: readers show it with the zone UTC.
 *  Source: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#timestamp (isAdjustedToUTC) */
const elements: Readonly<Record<Kind, Partial<SchemaElement>>> = {
  time: {
    type: "INT64",
    converted_type: "TIMESTAMP_MILLIS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
  },
  number: { type: "DOUBLE" },
  whole: { type: "INT64" },
  flag: { type: "BOOLEAN" },
  ...{ text, json: text },
};

/** The schema of a file with these columns. */
export function parquetSchema(columns: readonly ParquetColumn[]): SchemaElement[] {
  const fields = columns.map(({ name, kind }): SchemaElement => {
    return { name, repetition_type: "OPTIONAL", ...elements[kind] };
  });
  return [{ name: "root", num_children: columns.length }, ...fields];
}

/** A cell's value as a file of this kind takes it; null if there is none. */
export function parquetValue(value: unknown, kind: Kind): unknown {
  if (value === undefined || value === null) return null;
  if (kind === "time") return BigInt(Date.parse(value as string));
  if (kind === "whole") return BigInt(value as number);
  if ((kind === "text" || kind === "json") && typeof value !== "string") return JSON.stringify(value);
  return value;
}
