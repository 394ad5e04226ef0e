import { answerOf, type paths } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import { printText } from "../../src/terminal/print.ts";
import { columnsIn } from "./fleet.ts";
import type { Output } from "./output.ts";
import { showRows } from "./show-rows.ts";

type ListQuery = NonNullable<paths["/api/v1/inventory"]["get"]["parameters"]["query"]>;

interface ListOptions {
  readonly kind?: NonNullable<ListQuery["kind"]>;
  readonly state?: NonNullable<ListQuery["state"]>;
  readonly neverSeen?: boolean;
  readonly cluster?: string;
  readonly host?: string;
  readonly gpu?: string;
  readonly limit?: number;
}

/** Where a host or device is, and what a change says of it. */
export interface ChangeOptions {
  readonly cluster?: string;
  readonly from?: string;
  readonly to?: string;
  readonly at?: string;
  readonly note?: string;
}

const optionalColumns = ["from", "to", "note", "gpus", "gpus_seen", "last_seen_at", "returned_at"];

/** Shows the hosts and devices that ought to be there. @throws GatewayError, GatewayUnreachable */
export async function inventory(output: Output, options: ListOptions): Promise<void> {
  const { kind, state, neverSeen, cluster, host, gpu, limit } = options;
  const seen = neverSeen === true ? ("never" as const) : undefined;
  const query = defined({ kind, state, seen, cluster_id: cluster, hostname: host, gpu_uuid: gpu, limit });
  const answer = await answerOf(output.gateway.GET("/api/v1/inventory", { params: { query } }));
  show(answer.data, output, limit === undefined ? answer.next_cursor : undefined);
}

/** Puts a host or device under maintenance. @param name a hostname or uuid */
export async function startMaintenance(output: Output, name: string, options: ChangeOptions): Promise<void> {
  const { from, to, note } = options;
  const query = { ...(await subjectOf(output, name, options)), ...defined({ start_time: from, end_time: to, note }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/inventory/maintenance", { params: { query } }));
  show([data], output);
}

/** Decommissions a host or device. @param name a hostname or uuid */
export async function decommission(output: Output, name: string, options: ChangeOptions): Promise<void> {
  const { from, note } = options;
  const query = { ...(await subjectOf(output, name, options)), ...defined({ start_time: from, note }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/inventory/decommission", { params: { query } }));
  show([data], output);
}

/** Ends maintenance and decommissioning. @param name a hostname or uuid */
export async function restore(output: Output, name: string, options: ChangeOptions): Promise<void> {
  const { at, note } = options;
  const query = { ...(await subjectOf(output, name, options)), ...defined({ end_time: at, note }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/inventory/restore", { params: { query } }));
  show([data], output);
}

/** Ends a target. @param sourceId as in the coverage by target */
export async function endTarget(output: Output, sourceId: string, { at }: Pick<ChangeOptions, "at">): Promise<void> {
  const query = { source_id: sourceId, ...defined({ end_time: at }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/inventory/end-target", { params: { query } }));
  showRows([{ ...data }], ["source_id", "ended_at"], output);
}

/** Declares a device, or the number of a host's GPUs. */
export async function declare(
  output: Output,
  hostname: string,
  { cluster, gpus, gpu }: { readonly cluster?: string; readonly gpus?: number; readonly gpu?: string },
): Promise<void> {
  const query = { hostname, ...defined({ cluster_id: cluster, gpus, gpu_uuid: gpu }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/inventory/declare", { params: { query } }));
  show([data], output);
}

/** Withdraws a declaration. @param name a hostname or uuid */
export async function withdraw(output: Output, name: string, options: ChangeOptions): Promise<void> {
  const query = await subjectOf(output, name, options);
  const { data } = await answerOf(output.gateway.DELETE("/api/v1/inventory", { params: { query } }));
  show([data], output);
}

/** The parameters of a name: it is a device if the inventory has one of this uuid, otherwise a host. */
async function subjectOf({ gateway }: Output, name: string, { cluster }: ChangeOptions) {
  const { data } = await answerOf(
    gateway.GET("/api/v1/inventory", { params: { query: { gpu_uuid: name, limit: 1 } } }),
  );
  const isDevice = data.length > 0 || /^(?:GPU|MIG)-/i.test(name);
  return { ...(isDevice ? { gpu_uuid: name } : { hostname: name }), ...defined({ cluster_id: cluster }) };
}

function show(items: readonly object[], output: Output, next?: string): void {
  const columns = [
    "cluster_id",
    "hostname",
    ...columnsIn(items, ["uuid"]),
    "state",
    ...columnsIn(items, optionalColumns),
  ];
  showRows(
    items.map((item) => ({ ...item })),
    columns,
    { ...output, next },
  );
  if (!output.asJson && columns.includes("last_seen_at")) {
    printText("last seen: up to 10 minutes before the newest record; gpus has the exact time");
  }
}
