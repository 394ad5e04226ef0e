import { metrics } from "../../domain/metrics.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { type HistorySource, inWholeMilliseconds } from "./history-part.ts";
import { gpuOrder, gpuConditions } from "./select-gpus.ts";
import { hasNamespace, type OccupantColumns } from "./stored-occupants.ts";

/** A row of telemetry. It also has a property for each metric of the catalogue; null means no value. */
export interface RecordRow extends OccupantColumns {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly custom: Record<string, number> | null;
}

const metricColumns = metrics.map(({ name }) => `t."${name}"`).join(", ");
const columns = `t.gpu_key::float8 as "gpuKey", extract(epoch from t.time)::float8 * 1000 as "timeMs", ${metricColumns},
  t.custom, t.container, t.pod, t.namespace, t.occupants`;
/** Records as they are stored. */
export const recordSource: HistorySource = {
  // one after another, because a page has few of the rows
  from: (_, __, own) => (own === undefined ? "telemetry" : `(select r.* from telemetry r where ${own.record("r")})`),
  time: "time",
  hasNamespace: (namespace) =>
    `(coalesce(t.namespace, '') = ${namespace}::text or ${hasNamespace("t.occupants", namespace)})`,
  columns,
};

/** Reads the newest record of each selected GPU, ordered by `gpuOrder`. */
export async function selectLatest(executor: SqlExecutor, selector: GpuSelector): Promise<RecordRow[]> {
  const conditions = gpuConditions(selector);
  const text = `
select ${columns} from gpus g cross join lateral (
  select * from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) t
${conditions.after("where")} order by ${gpuOrder}`;
  return inWholeMilliseconds(await executor.query<RecordRow>(text, conditions.params));
}

const hasValues = `(coalesce(${metricColumns}) is not null or t.custom is not null)`;

/** Reads the newest record that has values, of each GPU that has such a record. */
export async function selectLatestWithValues(executor: SqlExecutor, gpuKeys: readonly number[]): Promise<RecordRow[]> {
  const text = `
select ${columns} from unnest($1::text::int8[]) as u(gpu_key) cross join lateral (
  select * from telemetry t where t.gpu_key = u.gpu_key and ${hasValues} order by t.time desc limit 1) t`;
  return inWholeMilliseconds(await executor.query<RecordRow>(text, [numberArray(gpuKeys)]));
}

/** Records by their GPU and instant, in columns of the same length. */
export interface RecordPlaces {
  readonly gpuKeys: ArrayLike<number>;
  readonly timesMs: ArrayLike<number>;
}

/** Reads some records whole. */
export async function selectRecordsAt(executor: SqlExecutor, { gpuKeys, timesMs }: RecordPlaces): Promise<RecordRow[]> {
  const text = `
select ${columns} from unnest($1::text::int8[], $2::text::float8[]) as u(gpu_key, time_ms)
join telemetry t on t.gpu_key = u.gpu_key and t.time = to_timestamp(u.time_ms / 1000.0)`;
  const rows = await executor.query<RecordRow>(text, [numberArray(gpuKeys), numberArray(timesMs)]);
  return inWholeMilliseconds(rows);
}
