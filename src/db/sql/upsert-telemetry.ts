import type { SqlExecutor } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";

/** Records in columns, sorted by (gpuKey, time); all columns have the same length. */
export interface TelemetryColumns {
  readonly gpuKeys: ArrayLike<number>;
  readonly timesMs: ArrayLike<number>;
  /** The batch's metrics of the catalogue; NaN if a record has no value. */
  readonly metrics: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** JSON objects; undefined if a record has none. */
  readonly custom: readonly (string | undefined)[];
  readonly workloads: readonly { readonly container: string; readonly pod: string; readonly namespace: string }[];
}

/** Stores records. An existing record of the same GPU and instant gets the new values and keeps its other values.
 *  @returns the number of new records, and the number of existing records that were updated */
export async function upsertTelemetry(
  executor: SqlExecutor,
  columns: TelemetryColumns,
): Promise<{ inserted: number; merged: number }> {
  if (columns.gpuKeys.length === 0) return { inserted: 0, merged: 0 };
  const hasWorkload = columns.workloads.some(({ container, pod, namespace }) => container + pod + namespace !== "");
  const texts = (name: "container" | "pod" | "namespace") =>
    textArray(columns.workloads.map((each) => each[name] || undefined));
  const optional = [
    ...columns.metrics.map(({ name, values }) => ({ name, type: "float8", array: numberArray(values) })),
    ...(columns.custom.some((value) => value !== undefined)
      ? [{ name: "custom", type: "jsonb", array: textArray(columns.custom) }]
      : []),
    ...(hasWorkload ? (["container", "pod", "namespace"] as const) : []).map((name) => ({
      name,
      type: "text",
      array: texts(name),
    })),
  ];
  const names = optional.map(({ name }) => `, "${name}"`).join("");
  const updates = optional.map(({ name }) =>
    name === "custom"
      ? `custom = coalesce(telemetry.custom, '{}'::jsonb) || coalesce(excluded.custom, '{}'::jsonb)`
      : `"${name}" = coalesce(excluded."${name}", telemetry."${name}")`,
  );
  const arrays = optional.map(({ type }, index) => `, $${index + 3}::text::${type}[]`).join("");
  // SQL allows no empty list of assignments, so if there are no values, the time is assigned to itself: an existing row then counts as merged
  const text = `
with written as (
  insert into telemetry (gpu_key, time${names})
  select gpu_key, to_timestamp(time_ms / 1000.0)${names}
  from unnest($1::text::int8[], $2::text::float8[]${arrays}) as u(gpu_key, time_ms${names})
  on conflict (gpu_key, time) do update set ${updates.length > 0 ? updates.join(", ") : "time = excluded.time"}
  returning (xmax = 0) as inserted
)
select (count(*) filter (where inserted))::int as inserted, (count(*) filter (where not inserted))::int as merged from written`;
  const params = [numberArray(columns.gpuKeys), numberArray(columns.timesMs), ...optional.map(({ array }) => array)];
  const [counts] = await executor.query<{ inserted: number; merged: number }>(text, params);
  return counts ?? { inserted: 0, merged: 0 };
}
