import type { TelemetryRecord } from "gpu-telemetry-client";
import { occupantsText } from "../output.ts";

/** The metrics that the table shows. */
export const shownMetrics = [
  "gpu_utilization",
  "memory_used_mb",
  "memory_free_mb",
  "memory_capacity_mb",
  "temperature",
  "power_draw",
] as const;

export type ShownValues = Partial<Record<(typeof shownMetrics)[number], number>>;

/** What a record says about its device: where it is, what it is and who holds it. */
export interface Place {
  readonly uuid: string;
  /** The GPU that a MIG instance is a part of. */
  readonly parentUuid: string | undefined;
  readonly cluster: string;
  readonly host: string;
  /** The GPU's index on its host. */
  readonly index: string;
  readonly instance: string | undefined;
  /** For a MIG instance, its profile and its GPU's model. */
  readonly model: string;
  /** The workloads that hold it, as namespace/pod/container; empty if none does. */
  readonly holder: string;
}

/** A GPU or MIG instance with its newest readings. A reading that is undefined is absent; it is not 0. */
export interface Device extends Place {
  /** The instant of its newest record. */
  atMs: number;
  /** Until when it has reported: the instant of its newest record, at most that of its arrival. -Infinity if its records are of the future,
   *  and none has arrived since it was listed. */
  reportedAtMs: number;
  /** The newest value of each metric, and its instant. */
  readonly readings: Map<keyof ShownValues, { readonly value: number; readonly atMs: number }>;
  /** The shortest time between two values of one metric that were seen; undefined before the second. */
  intervalMs: number | undefined;
  utilization: number | undefined;
  usedMebibytes: number | undefined;
  totalMebibytes: number | undefined;
  temperature: number | undefined;
  watts: number | undefined;
  /** Its last utilisations, oldest first. */
  readonly trend: number[];
}

/** Readings that the sparkline shows. */
export const trendLength = 12;

/** Without a known interval, a record is stale after this time. */
const staleAfterMs = 60_000;
/** A value is shown for this time while the newer records of its device lack it: some exporters spread their metrics over several
 *  instants. */
const valueKeptMs = 60_000;
/** With a short interval, a record is not stale before this time: it takes a moment to arrive. */
const staleNotBeforeMs = 5_000;

export function placeOf(record: TelemetryRecord): Place {
  const { uuid, parent_uuid, mig_instance_id, mig_profile = "" } = record;
  return {
    ...{ uuid, parentUuid: parent_uuid, cluster: record.cluster_id, host: record.hostname },
    ...{ index: record.gpu_id, instance: mig_instance_id },
    model: [mig_profile, record.model_name].filter((text) => text !== "").join(" "),
    holder: occupantsText(record.occupants ?? [record]),
  };
}

/** A device without readings. */
export function deviceAt(place: Place): Device {
  return {
    ...place,
    ...{
      atMs: -Infinity,
      reportedAtMs: -Infinity,
      readings: new Map(),
      intervalMs: undefined,
      utilization: undefined,
      usedMebibytes: undefined,
    },
    ...{ totalMebibytes: undefined, temperature: undefined, watts: undefined, trend: [] },
  };
}

/** Notes that the device has reported.
 *  @param atMs the instant of a record
 *  @param arrivedAtMs when the record arrived; undefined: it is one of a list, and may have arrived long ago */
export function noteReported(device: Device, atMs: number, arrivedAtMs: number | undefined): void {
  const isNew = device.atMs !== -Infinity && atMs > device.atMs;
  const nowMs = arrivedAtMs ?? Date.now();
  if (arrivedAtMs === undefined && atMs > nowMs && !isNew) return;
  device.reportedAtMs = Math.max(device.reportedAtMs, Math.min(atMs, nowMs));
}

/** Gives the device the values of its newest record. An older record changes nothing; one of the same instant may have more
 *  values than before. */
export function readInto(device: Device, atMs: number, values: ShownValues): void {
  if (atMs < device.atMs) return;
  device.atMs = atMs;
  for (const name of shownMetrics) readMetric(device, name, { value: values[name], atMs });
  const valueOf = (name: keyof ShownValues): number | undefined => device.readings.get(name)?.value;
  const [used, free] = [valueOf("memory_used_mb"), valueOf("memory_free_mb")];
  device.utilization = valueOf("gpu_utilization");
  device.usedMebibytes = used;
  device.totalMebibytes =
    valueOf("memory_capacity_mb") ?? (used === undefined || free === undefined ? undefined : used + free);
  device.temperature = valueOf("temperature");
  device.watts = valueOf("power_draw");
}

function readMetric(
  device: Device,
  name: keyof ShownValues,
  { value, atMs }: { readonly value: number | undefined; readonly atMs: number },
): void {
  const { readings, trend } = device;
  const sinceMs = atMs - (readings.get(name)?.atMs ?? -Infinity);
  if (value === undefined) {
    if (sinceMs > valueKeptMs) readings.delete(name);
    return;
  }
  readings.set(name, { value, atMs });
  if (sinceMs > 0 && sinceMs < Infinity) device.intervalMs = Math.min(device.intervalMs ?? Infinity, sinceMs);
  if (name !== "gpu_utilization") return;
  if (sinceMs === 0) trend.pop();
  trend.push(value);
  if (trend.length > trendLength) trend.shift();
}

/** True if the device's newest record is older than three of its intervals, or than 60 s if its interval is not known. */
export function isStale({ reportedAtMs, intervalMs }: Device, nowMs: number): boolean {
  const limitMs = intervalMs === undefined ? staleAfterMs : Math.max(3 * intervalMs, staleNotBeforeMs);
  return nowMs - reportedAtMs > limitMs;
}

/** The part of its memory that the device uses, in percent. */
export function memoryPercent({ usedMebibytes, totalMebibytes }: Device): number | undefined {
  if (usedMebibytes === undefined || totalMebibytes === undefined || totalMebibytes === 0) return undefined;
  return (100 * usedMebibytes) / totalMebibytes;
}
