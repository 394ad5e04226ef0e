import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import type { OccupantColumns } from "./stored-occupants.ts";
import { type ColumnParameter, columnParameters, type TelemetryColumns, workloadNames } from "./telemetry-columns.ts";

/** The numbers of new records, and of existing records that got the new values. */
export interface UpsertCounts {
  readonly inserted: number;
  readonly merged: number;
}

/** Stores records. An existing record of the same GPU and instant gets the new values and keeps its other values, if the two
 *  records only complete each other. Otherwise, the existing record stays unchanged, and is locked until the transaction ends:
 *  read it by `readContradicted`, and write the merged record by `replaceTelemetry`. */
export async function completeTelemetry(executor: SqlExecutor, columns: TelemetryColumns): Promise<UpsertCounts> {
  const parameters = columnParameters(columns);
  const updates = parameters.map(({ name }) =>
    name === "custom"
      ? "custom = coalesce(telemetry.custom || excluded.custom, excluded.custom, telemetry.custom)"
      : `"${name}" = coalesce(excluded."${name}", telemetry."${name}")`,
  );
  return upsert(executor, columns, {
    parameters,
    action: `set ${updates.join(", ")} where ${completes(parameters, { stored: "telemetry", added: "excluded" })}`,
  });
}

/** Stores records in place of the existing ones with the same GPU and instant. Only the columns of the given metrics change. */
export async function replaceTelemetry(executor: SqlExecutor, columns: TelemetryColumns): Promise<void> {
  if (columns.gpuKeys.length === 0) return;
  const parameters = columnParameters(columns, true);
  const updates = parameters.map(({ name }) => `"${name}" = excluded."${name}"`);
  await upsert(executor, columns, { parameters, action: `set ${updates.join(", ")}` });
}

/** An existing record, with its values of a batch's metrics by name; null: no value. */
export interface ContradictedRow extends OccupantColumns {
  /** The index of the record in the batch's columns. */
  readonly row: number;
  readonly custom: Readonly<Record<string, number>> | null;
  readonly attributesId: number | null;
}

/** Reads the existing records that `completeTelemetry` has left as they are. */
export async function readContradicted(executor: SqlExecutor, columns: TelemetryColumns): Promise<ContradictedRow[]> {
  const parameters = columnParameters(columns);
  const [firstMs, lastMs] = boundsOf(columns.timesMs);
  const names = columns.metrics.map(({ name }) => `t."${name}", `).join("");
  // with bounds as parameters, the statement does not read the chunks of other times
  const text = `
select (u.place - 1)::float8 as row, ${names}t.custom, t.container, t.pod, t.namespace, t.occupants,
  t.attributes_id::float8 as "attributesId"
from unnest($1::text::int8[], $2::text::float8[]${arraysOf(parameters, 5)}) with ordinality
  as u(gpu_key, time_ms${namesOf(parameters)}, place)
join telemetry t on t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0)
where t.time between to_timestamp($3::text::float8 / 1000.0) and to_timestamp($4::text::float8 / 1000.0)
  and not (${completes(parameters, { stored: "t", added: "u" })})`;
  return executor.query<ContradictedRow>(text, [
    numberArray(columns.gpuKeys),
    numberArray(columns.timesMs),
    String(firstMs),
    String(lastMs),
    ...parameters.map(({ array }) => array),
  ]);
}

/** The least and the greatest of some instants. */
export function boundsOf(timesMs: ArrayLike<number>): readonly [firstMs: number, lastMs: number] {
  let [firstMs, lastMs] = [Infinity, -Infinity];
  for (let row = 0; row < timesMs.length; row += 1) {
    firstMs = Math.min(firstMs, timesMs[row] as number);
    lastMs = Math.max(lastMs, timesMs[row] as number);
  }
  return [firstMs, lastMs];
}

async function upsert(
  executor: SqlExecutor,
  { gpuKeys, timesMs }: TelemetryColumns,
  { parameters, action }: { readonly parameters: readonly ColumnParameter[]; readonly action: string },
): Promise<UpsertCounts> {
  if (gpuKeys.length === 0) return { inserted: 0, merged: 0 };
  const names = namesOf(parameters);
  const text = `
with written as (
  insert into telemetry (gpu_key, time${names})
  select gpu_key, to_timestamp(time_ms / 1000.0)${names}
  from unnest($1::text::int8[], $2::text::float8[]${arraysOf(parameters, 3)}) as u(gpu_key, time_ms${names})
  on conflict (gpu_key, time) do update ${action}
  returning (xmax = 0) as inserted
)
select (count(*) filter (where inserted))::int as inserted, (count(*) filter (where not inserted))::int as merged from written`;
  const params = [numberArray(gpuKeys), numberArray(timesMs), ...parameters.map(({ array }) => array)];
  const [counts] = await executor.query<UpsertCounts>(text, params);
  return counts ?? { inserted: 0, merged: 0 };
}

/** A condition: the values of two rows complete each other. It is never null. */
function completes(
  parameters: readonly ColumnParameter[],
  { stored, added }: { readonly stored: string; readonly added: string },
): string {
  const workload = (table: string, names: readonly string[]): string =>
    names.map((name) => `${table}.${name}`).join(", ");
  const all = [...workloadNames, "occupants"];
  const conditions: string[] = [];
  for (const { name, type } of parameters) {
    const [old, incoming] = [`${stored}."${name}"`, `${added}."${name}"`];
    if (type === "float8") conditions.push(`coalesce(${old} = ${incoming}, true)`);
    // a labelled series changes the plain value of its metric, unless it is there already
    else if (name === "custom")
      conditions.push(
        `coalesce(${incoming} <@ ${old} or (${incoming}::text not like '%}":%' and ${old} || ${incoming} = ${incoming} || ${old}), true)`,
      );
    else if (name === "attributes_id") conditions.push(`${old} is not distinct from ${incoming}`);
    else if (name === "occupants")
      conditions.push(
        `(num_nonnulls(${workload(added, workloadNames)}) = 0 or num_nonnulls(${workload(stored, workloadNames)}) = 0
          or (${workload(stored, all)}) is not distinct from (${workload(added, all)}))`,
      );
  }
  return conditions.join("\n    and ");
}

function namesOf(parameters: readonly ColumnParameter[]): string {
  return parameters.map(({ name }) => `, "${name}"`).join("");
}

function arraysOf(parameters: readonly ColumnParameter[], firstNumber: number): string {
  return parameters.map(({ type }, index) => `, $${index + firstNumber}::text::${type}[]`).join("");
}
