import { defined } from "../../src/kit/defined.ts";
import { answerOf, type TelemetryRecord } from "gpu-telemetry-client";
import { checkGpu } from "./check-gpu.ts";
import { type Output, showRows } from "./output.ts";

/** A list's filters, under the names of the command line. */
interface Filters {
  readonly gpu?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly model?: string;
  readonly namespace?: string;
  readonly limit?: number;
}

/** The maximum number of metrics that a table shows without `--metrics`. */
const maxShownMetrics = 6;
/** The metrics that a table shows before all others. */
const preferredMetrics = ["gpu_utilization", "memory_used_mb", "temperature", "power_draw"];

/** The filters under the API's names, without those that are undefined. */
function queryOf({ gpu, cluster, host, model, namespace, limit }: Filters) {
  return defined({ gpu_uuid: gpu, cluster_id: cluster, hostname: host, model, namespace, limit });
}

/** Shows the GPUs that match the filters. @throws GatewayError, GatewayUnreachable */
export async function gpus(output: Output, filters: Filters): Promise<void> {
  await checkGpu(output, filters.gpu);
  const answer = await answerOf(output.gateway.GET("/api/v1/gpus", { params: { query: queryOf(filters) } }));
  const columns = ["hostname", "id", "uuid", "name", "status", "last_seen_at"];
  showRows(answer.data, columns, { ...output, next: filters.limit === undefined ? answer.next_cursor : undefined });
}

/** Shows the hosts that match the filters. @throws GatewayError, GatewayUnreachable */
export async function hosts(output: Output, filters: Filters): Promise<void> {
  const answer = await answerOf(output.gateway.GET("/api/v1/hosts", { params: { query: queryOf(filters) } }));
  const columns = ["hostname", "cluster_id", "gpu_count", "active_gpu_count", "status", "last_seen_at"];
  showRows(answer.data, columns, { ...output, next: filters.limit === undefined ? answer.next_cursor : undefined });
}

/** Shows the newest record of each GPU that matches the filters. @throws GatewayError, GatewayUnreachable */
export async function latest(output: Output, filters: Filters & { readonly metrics?: string }): Promise<void> {
  await checkGpu(output, filters.gpu);
  const { metrics } = filters;
  const query = { limit: 10_000, ...queryOf(filters), ...defined({ metrics }) };
  const { data } = await answerOf(output.gateway.GET("/api/v1/telemetry/latest", { params: { query } }));
  const shownMetrics = metrics?.split(",") ?? (await shownMetricsOf(output, data));
  showRows(data, ["timestamp", "hostname", "gpu_id", ...shownMetrics, "namespace"], output);
}

/** The metrics to show: up to `maxShownMetrics` of those that any of the records has. One record would not be enough,
 *  because an exporter may spread a GPU's metrics over several instants. */
async function shownMetricsOf({ gateway }: Output, records: readonly TelemetryRecord[]): Promise<readonly string[]> {
  const { data } = await answerOf(gateway.GET("/api/v1/metrics"));
  const names = [...new Set([...preferredMetrics, ...data.map(({ name }) => name)])];
  return names.filter((name) => records.some((record) => Object.hasOwn(record, name))).slice(0, maxShownMetrics);
}
