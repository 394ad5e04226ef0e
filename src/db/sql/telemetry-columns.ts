import { noWorkload, type Occupants, type Workload } from "../../domain/gpu.ts";
import { numberArray, textArray, withoutNul } from "./array-literal.ts";

/** Records in columns, sorted by (gpuKey, time); all columns have the same length. */
export interface TelemetryColumns {
  readonly gpuKeys: ArrayLike<number>;
  readonly timesMs: ArrayLike<number>;
  /** The batch's metrics of the catalogue; NaN if a record has no value. */
  readonly metrics: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** JSON objects; undefined if a record has none. */
  readonly custom: readonly (string | undefined)[];
  readonly occupants: readonly Occupants[];
  /** What the records' rows report about their GPUs: see `reported_attributes` in schema.ts. */
  readonly attributesIds: ArrayLike<number>;
}

/** The columns of telemetry with the parts of the first occupant. */
export const workloadNames = ["container", "pod", "namespace"] as const;

/** @returns undefined for an empty text, which the column does not have */
export function firstOccupantText(occupants: Occupants | undefined, name: keyof Workload): string | undefined {
  return (occupants?.[0] ?? noWorkload)[name] || undefined;
}

/** The value of the column `occupants`. @returns undefined unless they are several */
export function sharedJson(occupants: Occupants | undefined): string | undefined {
  if (occupants === undefined || occupants.length < 2) return undefined;
  return JSON.stringify(
    occupants.map(({ container, pod, namespace }) => ({
      container: withoutNul(container),
      pod: withoutNul(pod),
      namespace: withoutNul(namespace),
    })),
  );
}

/** True if a record of the batch is shared by several workloads. */
export function hasShared(occupants: readonly Occupants[]): boolean {
  return occupants.some((set) => set.length > 1);
}

/** A column of telemetry, except the primary key, as the parameter of a statement. */
export interface ColumnParameter {
  readonly name: string;
  readonly type: "float8" | "int8" | "jsonb" | "text";
  /** The values as the text of an array. */
  readonly array: string;
}

/** The columns in which at least one record has a value.
 *  @param isWhole true: all columns that say who holds the GPU, even those without a value */
export function columnParameters(columns: TelemetryColumns, isWhole = false): ColumnParameter[] {
  const { metrics, custom, occupants, attributesIds } = columns;
  const hasCustom = isWhole || custom.some((value) => value !== undefined);
  const hasOccupants = isWhole || occupants.some((set) => set.length > 0);
  const text = (name: (typeof workloadNames)[number]): ColumnParameter => ({
    name,
    type: "text",
    array: textArray(occupants.map((set) => firstOccupantText(set, name))),
  });
  return [
    ...metrics.map(({ name, values }): ColumnParameter => ({ name, type: "float8", array: numberArray(values) })),
    ...(hasCustom ? [{ name: "custom", type: "jsonb", array: textArray(custom) } as const] : []),
    ...(hasOccupants
      ? [
          ...workloadNames.map(text),
          { name: "occupants", type: "jsonb", array: textArray(occupants.map(sharedJson)) } as const,
        ]
      : []),
    { name: "attributes_id", type: "int8", array: numberArray(attributesIds) },
  ];
}
