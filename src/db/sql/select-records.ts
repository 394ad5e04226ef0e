import { metrics } from "../../domain/metrics.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { type HistorySource, inWholeMilliseconds } from "./history-part.ts";
import { gpuOrder, gpuConditions } from "./select-gpus.ts";

/** A row of telemetry. It also has a property for each metric of the catalogue; null means no value. */
export interface RecordRow {
  readonly gpuKey: number;
  readonly timeMs: number;
  readonly custom: Record<string, number> | null;
  readonly container: string | null;
  readonly pod: string | null;
  readonly namespace: string | null;
}

const metricColumns = metrics.map(({ name }) => `t."${name}"`).join(", ");
const columns = `t.gpu_key::float8 as "gpuKey", extract(epoch from t.time)::float8 * 1000 as "timeMs", ${metricColumns},
  t.custom, t.container, t.pod, t.namespace`;
const namespace = "coalesce(t.namespace, '')";
/** Records as they are stored. */
export const recordSource: HistorySource = { from: () => "telemetry", time: "time", namespace, columns };

/** Reads the newest record of each selected GPU, ordered by `gpuOrder`. */
export async function selectLatest(executor: SqlExecutor, selector: GpuSelector): Promise<RecordRow[]> {
  const conditions = gpuConditions(selector);
  const text = `
select ${columns} from gpus g cross join lateral (
  select * from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1) t
${conditions.after("where")} order by ${gpuOrder}`;
  return inWholeMilliseconds(await executor.query<RecordRow>(text, conditions.params));
}
