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

const timeoutMs = 30_000;
/** The most records that one answer has. */
const pageSize = 10_000;

/** Every GPU and MIG instance that is not decommissioned, ordered by host and index. */
export async function readDevices(): Promise<Device[]> {
  const { data } = await read<{ readonly data: readonly Schemas["Gpu"][] }>("/api/v1/gpus");
  return data.filter(({ state }) => state !== "decommissioned").map(deviceOf);
}

/** The newest record of every device. If there are more than an answer has, the older ones are asked for next; a device that reports in
 *  between is then missing until its next record. */
export async function readNewestRecords(): Promise<DeviceRecord[]> {
  const found = new Map<string, DeviceRecord>();
  let before = "";
  for (;;) {
    const sizeBefore = found.size;
    const path = `/api/v1/telemetry/latest?limit=${pageSize}&metrics=${recordFields.join(",")}${before}`;
    const { data } = await read<{ readonly data: readonly Schemas["TelemetryRecord"][] }>(path);
    for (const record of data) if (!found.has(record.uuid)) found.set(record.uuid, recordOf(record));
    const [oldest] = data;
    if (oldest === undefined || data.length < pageSize || found.size === sizeBefore) return [...found.values()];
    before = `&end_time=${encodeURIComponent(oldest.timestamp)}`;
  }
}

/** The number of devices that were declared and have never reported; undefined if the inventory cannot be read. */
export async function countNeverReported(): Promise<number | undefined> {
  const path = `/api/v1/inventory?kind=device&seen=never&limit=${pageSize}`;
  return read<{ readonly count: number }>(path).then(
    ({ count }) => count,
    () => undefined,
  );
}

/** Opens a WebSocket. Where access is controlled, it needs a ticket, because a browser can send no key with it. */
export async function openSocket(): Promise<WebSocket> {
  const { data: me } = await read<{ readonly data: Schemas["Me"] }>("/api/v1/me");
  const url = new URL("/ws", location.href.replace(/^http/, "ws"));
  if (me.kind !== "anyone") {
    const { data } = await read<{ readonly data: { readonly ticket: string } }>("/api/v1/tickets", "POST");
    url.searchParams.set("ticket", data.ticket);
  }
  return new WebSocket(url);
}

/** The instant of a text of the API. */
export const msOf = (timestamp: string): number => Date.parse(timestamp);

async function read<Answer>(path: string, method = "GET"): Promise<Answer> {
  const request = { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(timeoutMs) };
  const response = await fetch(path, request).catch((error: unknown) => {
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

function deviceOf({ uuid, hostname, id, name, cluster_id: clusterId, ...others }: Schemas["Gpu"]): Device {
  const { parent_uuid: parentUuid, state } = others;
  return { uuid, hostname, index: id, model: name, clusterId, parentUuid, isUnderMaintenance: state === "maintenance" };
}

function recordOf(record: Schemas["TelemetryRecord"]): DeviceRecord {
  const { uuid, timestamp, occupants, namespace = "", pod = "", container = "" } = record;
  const isHeld = namespace !== "" || pod !== "" || container !== "";
  const holders: readonly Holder[] = occupants ?? (isHeld ? [{ namespace, pod, container }] : []);
  return { uuid, timeMs: msOf(timestamp), values: record, holders };
}
