import type { components } from "../../../../clients/typescript/src/generated/schema.ts";
import type { HistoryRecord } from "../../model/history.ts";
import type { HoldingChange } from "../../model/lane.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { msOf, read } from "./gateway-api.ts";

type Schemas = components["schemas"];
export type Gpu = Schemas["Gpu"];
export type Coverage = Schemas["Coverage"];
export type InventoryItem = Schemas["InventoryItem"];
export type Metric = Schemas["Metric"];

interface Page<Item> {
  readonly data: readonly Item[];
  readonly next_cursor?: string;
}

/** From fine to coarse, with the time between two averages. */
const resolutions = ["raw", "1m", "1h", "1d"] as const;
export type Resolution = (typeof resolutions)[number];
export const stepMs: Readonly<Record<Resolution, number | undefined>> = {
  raw: undefined,
  "1m": 60_000,
  "1h": 3_600_000,
  "1d": 86_400_000,
};

/** What a device has reported in a window. */
export interface DeviceHistory {
  readonly resolution: Resolution;
  readonly records: readonly HistoryRecord[];
}

/** The most records of an answer. */
const pageSize = 10_000;
/** More points than this are not seen on a screen, and take long to load. */
const maxPages = 2;

/** Reads the history of a device in the resolution that the API finds right, or in a coarser one if there are too many records. */
export async function readHistory(
  uuid: string,
  { fromMs, toMs }: TimeWindow,
  metrics: readonly string[],
): Promise<DeviceHistory> {
  const query = { metrics: metrics.join(","), limit: String(pageSize), ...rangeQuery({ fromMs, toMs }) };
  let chosen: "auto" | Resolution = "auto";
  for (;;) {
    const { resolution, records, isWhole } = await readPages(uuid, { ...query, resolution: chosen });
    const coarser: Resolution | undefined = resolutions[resolutions.indexOf(resolution) + 1];
    if (isWhole || coarser === undefined) return { resolution, records };
    chosen = coarser;
  }
}

async function readPages(uuid: string, query: Readonly<Record<string, string>>) {
  const pages: HistoryRecord[][] = [];
  let cursor = {};
  for (;;) {
    const path = `/api/v1/gpus/${encodeURIComponent(uuid)}/telemetry`;
    const answer = await read<Page<Schemas["TelemetryRecord"]> & { readonly resolution: Resolution }>(path, {
      ...query,
      ...cursor,
    });
    // the next page has older records
    pages.unshift(answer.data.map(historyRecordOf));
    const { next_cursor: next, resolution } = answer;
    if (next === undefined || pages.length === maxPages) {
      return { resolution, records: pages.flat(), isWhole: next === undefined };
    }
    cursor = { cursor: next };
  }
}

function historyRecordOf(record: Schemas["TelemetryRecord"]): HistoryRecord {
  const { timestamp, rollup } = record;
  const extremes = rollup === undefined ? {} : { lowest: rollup.min, highest: rollup.max };
  return { timeMs: msOf(timestamp), values: record, ...extremes };
}

/** The GPU or MIG instance as the list has it. */
export async function readGpu(uuid: string): Promise<Gpu> {
  return (await read<{ readonly data: Gpu }>(`/api/v1/gpus/${encodeURIComponent(uuid)}`)).data;
}

/** Who held a device from when on. */
export async function readHoldingChanges(uuid: string): Promise<readonly HoldingChange[]> {
  const path = `/api/v1/gpus/${encodeURIComponent(uuid)}/changes`;
  const { data } = await read<{ readonly data: Schemas["GpuChanges"] }>(path);
  return data.workloads.map(({ from, occupants, namespace, pod, container }) => ({
    fromMs: msOf(from),
    holders: occupants ?? [{ namespace, pod, container }],
  }));
}

/** How much of what was due in a window is there: of a GPU, or of the GPUs of a host.
 *  @returns undefined if nothing was due */
export async function readCoverage(
  filter: { readonly gpu_uuid: string } | { readonly hostname: string },
  window: TimeWindow,
): Promise<Coverage | undefined> {
  const by = "gpu_uuid" in filter ? "device" : "host";
  const query = { by, step: "total", ...filter, ...rangeQuery(window) };
  return (await read<Page<Coverage>>("/api/v1/coverage", query)).data[0];
}

/** What the inventory says of a device or a host: its state, and why. */
export async function readInventoryItem(
  filter: { readonly gpu_uuid: string } | { readonly hostname: string },
): Promise<InventoryItem | undefined> {
  const kind = "gpu_uuid" in filter ? "device" : "host";
  return (await read<Page<InventoryItem>>("/api/v1/inventory", { kind, ...filter })).data[0];
}

/** The metrics that have a present value, and so can be drawn over time. */
export async function readGauges(): Promise<readonly Metric[]> {
  return (await read<Page<Metric>>("/api/v1/metrics")).data.filter(({ kind }) => kind === "gauge");
}

/** The utilization of each GPU of a host by the minute, by its uuid. */
export async function readHostHistory(hostname: string, window: TimeWindow) {
  const query = { hostname, metrics: "gpu_utilization", resolution: "1m", limit: String(pageSize) };
  const { data } = await read<Page<Schemas["TelemetryRecord"]>>("/api/v1/telemetry", {
    ...query,
    ...rangeQuery(window),
  });
  const found = new Map<string, HistoryRecord[]>();
  for (const record of data) {
    const records = found.get(record.uuid) ?? [];
    found.set(record.uuid, [...records, historyRecordOf(record)]);
  }
  return found as ReadonlyMap<string, readonly HistoryRecord[]>;
}

const rangeQuery = ({ fromMs, toMs }: TimeWindow) => ({
  start_time: new Date(fromMs).toISOString(),
  end_time: new Date(toMs).toISOString(),
});
