import type { AnswerOf, GatewayApi } from "../gateway-api.ts";
import { cursor as cursorArgument, optionalText } from "../parameters.ts";
import { partOf } from "../part-of.ts";
import { counted, figure, isFuture, noticeLine, shown, timeWithAge } from "../text.ts";
import { defineTool } from "../tool.ts";

type Cluster = AnswerOf<"/api/v1/clusters">["data"][number];
type Stats = AnswerOf<"/api/v1/clusters/{cluster_id}/stats">["data"];

/** Each cluster has a request of its own. */
const maxClusters = 10;

/** What there is, and how it does. */
export const fleetOverview = defineTool({
  name: "fleet_overview",
  title: "Fleet overview",
  description:
    "The clusters with their hosts and GPUs: how many report (active) and how many do not (silent), the age of the newest record, " +
    "utilization, temperature, power and memory of now, and how many faults fire. Begin here.",
  input: { cluster_id: optionalText("Only this cluster"), cursor: cursorArgument },
  async answer({ cluster_id: only, cursor }, api) {
    const { data } = await api.get("/api/v1/clusters");
    const clusters = data.filter(({ id }) => only === undefined || id === only);
    if (only !== undefined && clusters.length === 0) {
      return `There is no cluster ${JSON.stringify(shown(only))}. There are: ${data.map(({ id }) => shown(id)).join(", ") || "none"}.`;
    }
    if (clusters.length === 0) return "No GPU has reported yet.";
    const { part, more } = partOf(clusters, { limit: maxClusters, cursor });
    const described = await Promise.all(part.map((cluster) => clusterLines(cluster, api)));
    return [...described.flat(), ...(await faultLines(api, only)), ...more.map((line) => `Clusters: ${line}`)].join(
      "\n",
    );
  },
});

async function clusterLines(cluster: Cluster, api: GatewayApi): Promise<string[]> {
  const { id, host_count: hosts, gpu_count: gpus, mig_instances: instances } = cluster;
  const { data: stats } = await api.get("/api/v1/clusters/{cluster_id}/stats", {}, { cluster_id: id });
  const silent = `${cluster.active_gpu_count} active, ${cluster.silent_gpu_count} silent`;
  const gone = cluster.decommissioned_gpu_count;
  return [
    `Cluster ${shown(id)}: ${counted(hosts, "host")}, ${counted(gpus, "GPU")} (${silent}${gone === 0 ? "" : `, ${gone} decommissioned`})` +
      (instances === undefined ? "" : `, ${counted(instances, "MIG instance")}`),
    `  newest record: ${timeWithAge(cluster.last_seen_at)}; active and silent compare with ${isFuture(cluster.last_seen_at) ? "when records arrived, because this time is in the future: a sender's clock or time zone is wrong" : "it"}`,
    ...valueLines(stats),
  ];
}

const values = [
  ["gpu_utilization", "GPU utilization", "percent"],
  ["temperature", "temperature", "celsius"],
  ["power_draw", "power", "watts"],
  ["memory_used_mb", "memory used", "MiB"],
] as const;

/** Where GPUs are divided, an instance counts as a device if its GPU does not report the metric. */
function valueLines(stats: Stats): string[] {
  const countsInstances = stats.mig_instances !== undefined;
  return values.map(([name, label, unit]) => {
    const value = stats[name];
    if (value === undefined) return `  ${label}: not measured`;
    const { average, max, sum, gpu_count: of } = value;
    const total = name === "power_draw" ? `, ${figure(sum)} ${unit} in all` : "";
    return `  ${label}: mean ${figure(average)} ${unit}, highest ${figure(max)} ${unit}${total}, of ${counted(of, countsInstances ? "device" : "GPU")}`;
  });
}

async function faultLines(api: GatewayApi, cluster: string | undefined): Promise<string[]> {
  const answer = await api.get("/api/v1/faults", { cluster_id: cluster, state: "firing", limit: 1000 });
  const bySeverity = (["critical", "warning", "info"] as const).map(
    (severity) => `${answer.data.filter((fault) => fault.severity === severity).length} ${severity}`,
  );
  const many = answer.next_cursor === undefined ? "" : "of the newest 1000: ";
  return [`Faults that fire: ${many}${bySeverity.join(", ")} (the tool faults says what to do)`, ...noticeLine(answer)];
}
