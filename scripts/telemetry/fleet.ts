import { answerOf } from "gpu-telemetry-client";
import { type Output, showRows } from "./output.ts";

/** What a list is narrowed to, by the names of the command line. */
interface Filters {
  readonly cluster?: string;
  readonly host?: string;
  readonly model?: string;
  readonly namespace?: string;
  readonly limit?: number;
}

/** The same by the API's names. */
function queryOf({ cluster, host, model, namespace, limit }: Filters) {
  return {
    ...(cluster === undefined ? {} : { cluster_id: cluster }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(model === undefined ? {} : { model }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(limit === undefined ? {} : { limit }),
  };
}

export async function gpus(output: Output, filters: Filters): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/gpus", { params: { query: queryOf(filters) } }));
  showRows(data, ["hostname", "id", "uuid", "name", "status", "last_seen_at"], output);
}

export async function hosts(output: Output, filters: Filters): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/hosts", { params: { query: queryOf(filters) } }));
  showRows(data, ["hostname", "cluster_id", "gpu_count", "active_gpu_count", "status", "last_seen_at"], output);
}

export async function latest(output: Output, filters: Filters): Promise<void> {
  const query = { limit: 10_000, ...queryOf(filters) };
  const { data } = await answerOf(output.gateway.GET("/api/v1/telemetry/latest", { params: { query } }));
  const figures = ["gpu_utilization", "memory_used_mb", "temperature", "power_draw"];
  showRows(data, ["timestamp", "hostname", "gpu_id", ...figures, "namespace"], output);
}
