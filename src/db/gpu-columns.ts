import type { Attributes, Occupants } from "../domain/gpu.ts";
import { numberArray, textArray } from "./sql/array-literal.ts";

/** A column that is never null. */
export interface ColumnDeclaration {
  readonly name: string;
  readonly type: "text" | "int" | "bigint" | "jsonb";
}

/** The columns for the fields of an object, and the parts of SQL statements that name these columns. */
export class ColumnList<Row extends object> {
  /** @param declarations the columns, by the names of the fields */
  constructor(readonly declarations: Readonly<Record<keyof Row & string, ColumnDeclaration>>) {}

  /** `cluster_id, hostname, ...`
   *  @param table qualifies each name: `gpus.cluster_id, gpus.hostname, ...` */
  names(table?: string): string {
    return this.join(({ name }) => qualified(name, table));
  }

  /** The columns, named after the fields: `g.cluster_id as "clusterId", g.hostname as "hostname", ...` */
  selected(table: string): string {
    // drivers return a bigint as a text
    return this.join(
      ({ name, type }, field) => `${qualified(name, table)}${type === "bigint" ? "::float8" : ""} as "${field}"`,
    );
  }

  /** The columns' arrays as parameters of `unnest`: `$3::text::text[], $4::text::int[], ...`. JSON is
   *  passed as text. */
  parameters(firstNumber: number): string {
    return this.join(({ type }, _, index) => `$${firstNumber + index}::text::${type === "jsonb" ? "text" : type}[]`);
  }

  /** The values of unnested arrays, converted to the columns' types: `u.cluster_id::text, u.properties::jsonb, ...` */
  unnested(table: string): string {
    return this.join((column) => valueOf(column, table));
  }

  /** Assignments of unnested values: `cluster_id = u.cluster_id::text, ...` */
  assignments(table: string): string {
    return this.join((column) => `${column.name} = ${valueOf(column, table)}`);
  }

  /** The values for `parameters`: each column of the rows as the text of an array. */
  arrays(rows: readonly Row[]): string[] {
    return this.fields().map((field) => {
      const values = rows.map((row): unknown => row[field]);
      switch (this.declarations[field].type) {
        case "int":
        case "bigint":
          return numberArray(values.map(Number));
        case "jsonb":
          return textArray(values.map((value) => JSON.stringify(value)));
        default:
          return textArray(values.map(String));
      }
    });
  }

  /** The row with only the fields of these columns. */
  pick(row: Row): Row {
    return Object.fromEntries(this.fields().map((field) => [field, row[field]])) as Row;
  }

  private fields(): readonly (keyof Row & string)[] {
    return Object.keys(this.declarations) as (keyof Row & string)[];
  }

  private join(write: (column: ColumnDeclaration, field: string, index: number) => string): string {
    return this.fields()
      .map((field, index) => write(this.declarations[field], field, index))
      .join(", ");
  }
}

/** The columns of a GPU's attributes in `gpus`, `gpu_attributes` and `reported_attributes`. */
export const attributeColumns = new ColumnList<Attributes>({
  clusterId: { name: "cluster_id", type: "text" },
  hostname: { name: "hostname", type: "text" },
  gpuId: { name: "gpu_id", type: "int" },
  device: { name: "device", type: "text" },
  modelName: { name: "model_name", type: "text" },
  driverVersion: { name: "driver_version", type: "text" },
  properties: { name: "properties", type: "jsonb" },
});

/** The workloads that hold a GPU. */
export interface OccupantsState {
  readonly occupants: Occupants;
}

/** The column of `gpu_workloads`. */
export const occupantsColumns = new ColumnList<OccupantsState>({ occupants: { name: "occupants", type: "jsonb" } });

/** What the rows of a record say about its GPU: the id of attributes in `reported_attributes`. */
export interface Report {
  readonly attributesId: number;
}

/** The column of `gpu_reports`. */
export const reportColumns = new ColumnList<Report>({ attributesId: { name: "attributes_id", type: "bigint" } });

function qualified(name: string, table: string | undefined): string {
  return table === undefined ? name : `${table}.${name}`;
}

function valueOf({ name, type }: ColumnDeclaration, table: string): string {
  return `${table}.${name}::${type}`;
}
