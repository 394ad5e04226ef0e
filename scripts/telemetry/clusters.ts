import type { Command } from "commander";
import { answerOf, type components } from "gpu-telemetry-client";
import { ageText } from "../../src/kit/age-text.ts";
import { print, printError, printText } from "../../src/terminal/print.ts";
import { csvRows } from "./csv-rows.ts";
import { columnsIn, tellAge } from "./fleet.ts";
import { printNarrow } from "./narrow-table.ts";
import { cellOf, type Output } from "./output.ts";

interface FormOptions {
  readonly csv: boolean;
}

/** Adds the commands `clusters`, `stats` and `metrics`. */
export function addClusters(program: Command, output: () => Output): void {
  const command = (name: string, description: string): Command =>
    program.command(name).description(description).option("--csv", "CSV instead of a table", false);
  command("clusters", "clusters, with the number of their hosts and GPUs").action((options: FormOptions) =>
    clusters(output(), options),
  );
  command("stats", "numbers of GPUs and records of each cluster, and the average, maximum and sum of each metric")
    .argument("[cluster]", "only of this cluster")
    .action((id: string | undefined, options: FormOptions) => stats(output(), id, options));
  command("metrics", "metrics of the catalogue, with their units").action((options: FormOptions) =>
    metrics(output(), options),
  );
}

/** Shows the clusters. @throws GatewayError, GatewayUnreachable */
async function clusters(output: Output, { csv }: FormOptions): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/clusters"));
  if (csv || output.asJson) return print(csv ? csvRows(data) : JSON.stringify(data, null, 2));
  const nowMs = Date.now();
  const rows = data.map(({ id, host_count, gpu_count, active_gpu_count, last_seen_at, ...rest }) => ({
    ...{ cluster: id, hosts: host_count, GPUs: gpu_count, active: active_gpu_count, ...rest },
    age: ageText(Math.max(0, Math.round((nowMs - Date.parse(last_seen_at)) / 1000))),
  }));
  const names = ["hosts", "GPUs", "active", ...columnsIn(rows, ["mig_instances"]), "status", "age"];
  printNarrow(rows, [{ name: "cluster", wraps: true }, ...names.map((name) => ({ name }))]);
  print(`${rows.length} ${rows.length === 1 ? "cluster" : "clusters"}`);
  tellAge(data);
}

/** Shows the statistics of a cluster, or of each. @throws GatewayError, GatewayUnreachable */
async function stats({ gateway, asJson }: Output, cluster: string | undefined, { csv }: FormOptions): Promise<void> {
  const ids =
    cluster === undefined ? (await answerOf(gateway.GET("/api/v1/clusters"))).data.map(({ id }) => id) : [cluster];
  const path = "/api/v1/clusters/{cluster_id}/stats";
  const all = await Promise.all(
    ids.map(async (id) => (await answerOf(gateway.GET(path, { params: { path: { cluster_id: id } } }))).data),
  );
  if (asJson) return print(JSON.stringify(all, null, 2));
  if (csv) return print(csvRows(all.flatMap(metricRows)));
  if (all.length === 0) printError("no GPU has reported yet");
  for (const each of all) showStats(each);
}

function showStats(stats: components["schemas"]["ClusterStats"]): void {
  const { host_count: hosts, gpu_count: gpus, active_gpu_count: active, record_count: records } = stats;
  const about = stats.record_count_is_estimate === true ? "about " : "";
  print(cellOf(stats.cluster_id));
  print(`hosts: ${hosts}, GPUs: ${gpus} (active: ${active}), records: ${about}${records}`);
  print(`values of the 60 s up to ${stats.newest_record_at}:`);
  const rows = metricRows(stats).map(({ metric, average, max, sum, gpu_count }) => ({
    ...{ metric, average: rounded(average), max: rounded(max), sum: rounded(sum), GPUs: gpu_count },
  }));
  printNarrow(rows, [{ name: "metric", wraps: true }, ...["average", "max", "sum", "GPUs"].map((name) => ({ name }))]);
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** The figures of a metric over the GPUs of a cluster. */
interface Figures {
  readonly average: number;
  readonly max: number;
  readonly sum: number;
  readonly gpu_count: number;
}

/** A row for each metric in the statistics of a cluster. */
function metricRows(stats: { readonly cluster_id: string }) {
  return Object.entries(stats).flatMap(([metric, value]: [string, unknown]) => {
    if (typeof value !== "object") return [];
    const { average, max, sum, gpu_count } = value as Figures;
    return [{ cluster_id: stats.cluster_id, metric, average, max, sum, gpu_count }];
  });
}

/** Shows the catalogue of metrics. @throws GatewayError, GatewayUnreachable */
async function metrics(output: Output, { csv }: FormOptions): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/metrics"));
  if (csv || output.asJson) return print(csv ? csvRows(data) : JSON.stringify(data, null, 2));
  printNarrow(data, [{ name: "name", wraps: true }, { name: "unit" }, { name: "description", wraps: true }]);
  printText(`${data.length} metrics; --csv and --json have more about each`);
}
