import { metrics } from "../../domain/metrics.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { EachGpuFilter, HistoryPage, RecordFilter } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { eachGpuStatement, type HistorySource, partStatement, toPage } from "./history-part.ts";
import { gpuOrder, ofGpu } from "./select-gpus.ts";

/** A row of telemetry: an own property for each metric of the catalogue, null where it has no value. */
export interface RecordRow {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly custom: Record<string, number> | null;
  readonly container: string | null;
  readonly pod: string | null;
  readonly namespace: string | null;
}

const metricColumns = metrics.map(({ name }) => `t."${name}"`).join(", ");
const columns = `t.gpu_key as "gpuKey", extract(epoch from t.time)::float8 * 1000 as "timeMs", ${metricColumns},
  t.custom, t.container, t.pod, t.namespace`;
const namespace = "coalesce(t.namespace, '')";
const source: HistorySource = { from: () => "telemetry", time: "time", namespace, columns };

/** Reads records that fit, newest first unless it goes forward. */
export async function selectRecords(executor: SqlExecutor, filter: RecordFilter): Promise<HistoryPage<RecordRow>> {
  const { text, params } = partStatement(source, filter);
  return toPage((await executor.query<RecordRow>(text, params)).map(inWholeMilliseconds), filter.limit);
}

/** Reads the newest records of each of many GPUs, in any order. */
export async function selectRecordsOfEach(executor: SqlExecutor, filter: EachGpuFilter): Promise<RecordRow[]> {
  const { text, params } = eachGpuStatement(source, filter);
  return (await executor.query<RecordRow>(text, params)).map(inWholeMilliseconds);
}

/** Reads the newest record of each GPU, in the order of lists. */
export async function selectLatest(executor: SqlExecutor, selector: GpuSelector): Promise<RecordRow[]> {
  const conditions = ofGpu(selector);
  const text = `
select ${columns} from gpus g cross join lateral (
  select * from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) t
${conditions.after("where")} order by ${gpuOrder}`;
  return (await executor.query<RecordRow>(text, conditions.params)).map(inWholeMilliseconds);
}

function inWholeMilliseconds(row: RecordRow): RecordRow {
  return { ...row, timeMs: Math.round(row.timeMs) };
}
