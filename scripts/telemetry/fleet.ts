import { printError, printText } from "../../src/terminal/print.ts";
import { ageText } from "../../src/kit/age-text.ts";
import { defined } from "../../src/kit/defined.ts";
import { answerOf, type TelemetryRecord } from "gpu-telemetry-client";
import type { InventoryState } from "../../src/domain/inventory.ts";
import { readSeriesSelector, selectsSeries, splitNames } from "../../src/domain/series-selector.ts";
import { checkGpu } from "./check-gpu.ts";
import { occupantsText, type Output, type Row } from "./output.ts";
import { ageColumn, fittingMetrics, needsAge, showRows, spareColumns, withAge } from "./show-rows.ts";
import { unmatchedNames } from "./unmatched-names.ts";

/** A list's filters, under the names of the command line. */
export interface Filters {
  readonly gpu?: string;
  readonly parent?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly model?: string;
  readonly namespace?: string;
  readonly limit?: number;
}

/** The filters of GPUs and hosts. */
export interface StateFilters extends Filters {
  readonly state?: InventoryState;
}

/** The maximum number of metrics that a table shows without `--metrics`. */
const maxShownMetrics = 6;
/** The metrics that a table shows before all others. */
const preferredMetrics = ["gpu_utilization", "memory_used_mb", "temperature", "power_draw"];

const spareOfLatest = ["workload"];

/** The filters under the API's names, without those that are undefined. */
export function queryOf({ gpu, parent, cluster, host, model, namespace, limit }: Filters) {
  return defined({ gpu_uuid: gpu, parent_uuid: parent, cluster_id: cluster, hostname: host, model, namespace, limit });
}

/** Shows the GPUs that match the filters. @throws GatewayError, GatewayUnreachable */
export async function gpus(output: Output, filters: StateFilters): Promise<void> {
  await checkGpus(output, filters);
  await tellUnknown(output, filters);
  const query = { ...queryOf(filters), ...defined({ state: filters.state }) };
  const answer = await answerOf(output.gateway.GET("/api/v1/gpus", { params: { query } }));
  const columns = ["hostname", "id", ...columnsIn(answer.data, migColumns), "uuid", "name", "status"];
  columns.push(...stateColumns(answer.data), "last_seen_at");
  const next = filters.limit === undefined ? answer.next_cursor : undefined;
  showRows(answer.data, columns, { ...output, next, spare: ["uuid", "name"], time: "last_seen_at" });
  if (!output.asJson) tellAge(answer.data);
}

/** Shows the hosts that match the filters. @throws GatewayError, GatewayUnreachable */
export async function hosts(output: Output, filters: StateFilters): Promise<void> {
  await tellUnknown(output, filters);
  const query = { ...queryOf(filters), ...defined({ state: filters.state }) };
  const answer = await answerOf(output.gateway.GET("/api/v1/hosts", { params: { query } }));
  const counts = [
    "gpu_count",
    "active_gpu_count",
    ...columnsIn(answer.data, ["mig_instances", "active_mig_instances"]),
  ];
  const columns = ["hostname", "cluster_id", ...counts, "status", ...stateColumns(answer.data), "last_seen_at"];
  const next = filters.limit === undefined ? answer.next_cursor : undefined;
  showRows(answer.data, columns, { ...output, next, spare: ["cluster_id"], time: "last_seen_at" });
  if (!output.asJson) tellAge(answer.data);
}

/** Shows the newest record of each GPU that matches the filters. @throws GatewayError, GatewayUnreachable */
export async function latest(output: Output, filters: Filters & { readonly metrics?: string }): Promise<void> {
  await checkGpus(output, filters);
  await tellUnknown(output, filters);
  const { metrics } = filters;
  const query = { limit: 10_000, ...queryOf(filters), ...defined({ metrics }) };
  const { data } = await answerOf(output.gateway.GET("/api/v1/telemetry/latest", { params: { query } }));
  if (output.asJson) return showRows(data, [], output);
  const rows = data.map(rowOf);
  const places = ["timestamp", "hostname", "gpu_id", ...columnsIn(data, migColumns)];
  const columnsOf = (shown: readonly string[]) => [...places, ...shown, "workload"];
  if (metrics !== undefined)
    return showRows(rows, columnsOf(columnsOfMetrics(metrics, data)), { ...output, time: "timestamp" });
  const present = await presentMetrics(output, data);
  const shown = shownMetrics(rows, present, columnsOf);
  showRows(rows, columnsOf(shown), { ...output, spare: spareOfLatest, time: "timestamp" });
  if (shown.length < present.length) {
    printText(`${present.length - shown.length} more metrics: --metrics chooses among them, --json has all`);
  }
}

/** Those of the metrics for which the terminal has room next to the ages and places of the records. */
function shownMetrics(
  rows: readonly Row[],
  present: readonly string[],
  columnsOf: (shown: readonly string[]) => readonly string[],
): readonly string[] {
  const least = columnsOf(present.slice(0, 1));
  const isAged = needsAge(rows, least);
  const aged = isAged ? rows.map((row) => withAge(row, "timestamp")) : rows;
  const named = (columns: readonly string[]): readonly string[] =>
    isAged ? columns.map((name) => (name === "timestamp" ? ageColumn : name)) : columns;
  const left = spareColumns(aged, named(least), spareOfLatest);
  return fittingMetrics(aged, present.slice(0, maxShownMetrics), (shown) =>
    named(columnsOf(shown)).filter((name) => !left.includes(name)),
  );
}

/** Shows the series that the newest records have. @throws GatewayError, GatewayUnreachable */
export async function series(output: Output, filters: Filters & { readonly metric?: string }): Promise<void> {
  await checkGpus(output, filters);
  await tellUnknown(output, filters);
  const query = { ...queryOf(filters), ...defined({ metric: filters.metric }) };
  const { data } = await answerOf(output.gateway.GET("/api/v1/metrics/series", { params: { query } }));
  showRows(data, ["name", "records", "last_seen_at"], output);
}

/** Records that are older are no live fleet. */
const liveMs = 10 * 60_000;

/** Says on standard error how old the newest of the records is, if it is not of a live fleet: a status compares with it, not with the
 *  clock. */
export function tellAge(rows: readonly { readonly status: string; readonly last_seen_at: string }[]): void {
  const newest = rows.reduce((latest, { last_seen_at: at }) => (at > latest ? at : latest), "");
  const ageMs = Date.now() - Date.parse(newest);
  if (!(ageMs > liveMs) || rows.every(({ status }) => status !== "active")) return;
  printError(
    `the newest record is ${ageText(Math.round(ageMs / 1000))} old (${newest}): active are those that reported until then`,
  );
}

/** Checks that the GPUs exist that the filters name. @throws GatewayError, GatewayUnreachable */
export async function checkGpus(output: Output, { gpu, parent }: Filters): Promise<void> {
  await checkGpu(output, gpu);
  await checkGpu(output, parent);
}

/** Says on standard error which of the filters' names the fleet does not have now. */
async function tellUnknown({ gateway }: Output, { cluster, host, namespace }: Filters): Promise<void> {
  const listOf = (name: string | undefined) => (name === undefined ? undefined : [name]);
  const bounds = defined({ clusters: listOf(cluster), hosts: listOf(host), namespaces: listOf(namespace) });
  for (const sentence of await unmatchedNames(gateway, bounds)) printError(sentence);
}

/** What a MIG instance has in addition to a GPU. */
export const migColumns = ["mig_instance_id", "mig_profile"];

/** The column of states if any of the rows is not active. */
function stateColumns(rows: readonly { readonly state?: string }[]): readonly string[] {
  return rows.some(({ state = "active" }) => state !== "active") ? ["state"] : [];
}

/** Those of the columns that any of the rows has. */
export function columnsIn(rows: readonly object[], columns: readonly string[]): readonly string[] {
  return columns.filter((name) => rows.some((row) => Object.hasOwn(row, name)));
}

/** The columns for the requested metrics: a requested series stands for all series that the records have of it. */
export function columnsOfMetrics(requested: string, records: readonly TelemetryRecord[]): readonly string[] {
  const present = [...new Set(records.flatMap(({ custom = {} }) => Object.keys(custom)))].sort();
  return splitNames(requested).flatMap((name) => {
    const selector = readSeriesSelector(name);
    return selector === undefined ? [name] : present.filter((each) => selectsSeries(selector, each));
  });
}

/** A record as a row: its values, also those of metrics outside the catalogue, and the workloads that held its GPU. */
export function rowOf(record: TelemetryRecord): Readonly<Record<string, unknown>> {
  return { ...record.custom, ...record, workload: occupantsText(record.occupants ?? [record]) };
}

/** The metrics of the catalogue that any of the records has. One record would not be enough, because an exporter may spread a
 *  GPU's metrics over several instants. */
export async function presentMetrics(
  { gateway }: Output,
  records: readonly TelemetryRecord[],
): Promise<readonly string[]> {
  const { data } = await answerOf(gateway.GET("/api/v1/metrics"));
  const names = [...new Set([...preferredMetrics, ...data.map(({ name }) => name)])];
  return names.filter((name) => records.some((record) => Object.hasOwn(record, name)));
}
