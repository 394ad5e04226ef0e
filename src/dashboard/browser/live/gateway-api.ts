import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import type { Device, DeviceRecord, Holder } from "../../model/device.ts";
import { recordFields } from "../../model/metric.ts";

type Schemas = components["schemas"];

/** The gateway has answered with an error, or not at all. */
export class ApiFailure extends Error {
  /** @param status undefined: there was no answer */
  constructor(
    message: string,
    readonly status: number | undefined,
  ) {
    super(message);
  }
}

/** What went wrong, in words. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const timeoutMs = 30_000;
/** The most records that one answer has. */
const pageSize = 10_000;

/** The devices that a page shows. */
export type FleetScope =
  | { readonly kind: "fleet" }
  | { readonly kind: "host"; readonly hostname: string }
  | { readonly kind: "gpu"; readonly uuid: string };

/** The filter of a scope, as the API and subscriptions have it. */
export function filterOf(scope: FleetScope): { readonly hostname?: string; readonly gpu_uuid?: string } {
  if (scope.kind === "fleet") return {};
  return scope.kind === "host" ? { hostname: scope.hostname } : { gpu_uuid: scope.uuid };
}

/** The GPUs and MIG instances of a scope, ordered by host and index: of the fleet and of a host, those that are not decommissioned; of a
 *  GPU, it and its instances. */
export async function readDevices(scope: FleetScope): Promise<Device[]> {
  const list = async (filter: Readonly<Record<string, string>>): Promise<readonly Schemas["Gpu"][]> =>
    (await read<{ readonly data: readonly Schemas["Gpu"][] }>("/api/v1/gpus", filter)).data;
  if (scope.kind === "gpu") {
    const lists = await Promise.all([list({ gpu_uuid: scope.uuid }), list({ parent_uuid: scope.uuid })]);
    return lists.flat().map(deviceOf);
  }
  return (await list(filterOf(scope))).filter(({ state }) => state !== "decommissioned").map(deviceOf);
}

/** The instant of each cluster's newest record. */
export async function readClusterTimes(): Promise<ReadonlyMap<string, number>> {
  const { data } = await read<{ readonly data: readonly Schemas["Cluster"][] }>("/api/v1/clusters");
  return new Map(data.map(({ id, last_seen_at: newest }) => [id, msOf(newest)]));
}

/** The newest record of every device of a scope. If there are more than an answer has, the older ones are asked for next; a device that
 *  reports in between is then missing until its next record. */
export async function readNewestRecords(scope: FleetScope): Promise<DeviceRecord[]> {
  if (scope.kind === "gpu") {
    const lists = [newestRecords({ gpu_uuid: scope.uuid }), newestRecords({ parent_uuid: scope.uuid })];
    return (await Promise.all(lists)).flat();
  }
  return newestRecords({ ...filterOf(scope), metrics: recordFields.join(",") });
}

async function newestRecords(filter: Readonly<Record<string, string>>): Promise<DeviceRecord[]> {
  const found = new Map<string, DeviceRecord>();
  let before = {};
  for (;;) {
    const sizeBefore = found.size;
    const query = { limit: String(pageSize), ...filter, ...before };
    const { data } = await read<{ readonly data: readonly Schemas["TelemetryRecord"][] }>(
      "/api/v1/telemetry/latest",
      query,
    );
    for (const record of data) if (!found.has(record.uuid)) found.set(record.uuid, recordOf(record));
    const [oldest] = data;
    if (oldest === undefined || data.length < pageSize || found.size === sizeBefore) return [...found.values()];
    before = { end_time: oldest.timestamp };
  }
}

/** The number of devices that were declared and have never reported; undefined if the inventory cannot be read. */
export async function countNeverReported(): Promise<number | undefined> {
  const query = { kind: "device", seen: "never", limit: String(pageSize) };
  return read<{ readonly count: number }>("/api/v1/inventory", query).then(
    ({ count }) => count,
    () => undefined,
  );
}

/** Opens a WebSocket. Where access is controlled, it needs a ticket, because a browser can send no key with it. */
export async function openSocket(): Promise<WebSocket> {
  const { data: me } = await read<{ readonly data: Schemas["Me"] }>("/api/v1/me");
  const url = new URL("/ws", location.href.replace(/^http/, "ws"));
  if (me.kind !== "anyone") {
    const { data } = await read<{ readonly data: { readonly ticket: string } }>("/api/v1/tickets", {}, "POST");
    url.searchParams.set("ticket", data.ticket);
  }
  return new WebSocket(url);
}

/** The instant of a text of the API. */
export const msOf = (timestamp: string): number => Date.parse(timestamp);

/** Asks the gateway.
 *  @throws ApiFailure */
export async function read<Answer>(
  path: string,
  query: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Answer> {
  const text = new URLSearchParams(query).toString();
  const request = { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(timeoutMs) };
  const response = await fetch(text === "" ? path : `${path}?${text}`, request).catch((error: unknown) => {
    throw new ApiFailure(
      `The gateway does not answer (${error instanceof Error ? error.message : "no reason"})`,
      undefined,
    );
  });
  const body = (await response.json().catch(() => undefined)) as Answer | Schemas["Error"] | undefined;
  if (response.ok && body !== undefined) return body as Answer;
  const message = (body as Schemas["Error"] | undefined)?.error.message ?? `it answered with status ${response.status}`;
  throw new ApiFailure(message, response.status);
}

function deviceOf(gpu: Schemas["Gpu"]): Device {
  const { uuid, hostname, id, name, cluster_id: clusterId } = gpu;
  return {
    ...{ uuid, hostname, index: id, model: name, clusterId, isUnderMaintenance: gpu.state === "maintenance" },
    isReporting: gpu.status === "active",
    ...{ parentUuid: gpu.parent_uuid, migInstanceId: gpu.mig_instance_id, migProfile: gpu.mig_profile },
  };
}

function recordOf(record: Schemas["TelemetryRecord"]): DeviceRecord {
  const { uuid, timestamp, occupants, namespace = "", pod = "", container = "" } = record;
  const isHeld = namespace !== "" || pod !== "" || container !== "";
  const holders: readonly Holder[] = occupants ?? (isHeld ? [{ namespace, pod, container }] : []);
  return { uuid, timeMs: msOf(timestamp), values: record, holders };
}
