import { migProfileProperty } from "../../domain/mig-instance.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { HolderLabels } from "../../domain/usage/labels.ts";
import { holderLabelsOf } from "../../domain/usage/labels.ts";
import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";
import { type ReportId, selectReported } from "./reported-attributes.ts";

/** A device, and when it was seen. */
export interface UsageDeviceRow {
  readonly gpuKey: number;
  readonly uuid: string;
  readonly firstSeenMs: number;
  /** Lags by up to 10 minutes. */
  readonly lastSeenMs: number;
}

/** Where a device was, from an instant until that of its next row. */
export interface UsagePlace {
  readonly gpuKey: number;
  readonly fromMs: number;
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly modelName: string;
  /** The profile of a MIG instance whose uuid is NVIDIA's; empty if it is not known. */
  readonly profile: string;
}

/** A time in which a device was decommissioned. */
export interface DecommissionedSpan extends TimeRange {
  readonly uuid: string;
}

/** What usage needs to know of the devices of the fleet. */
export interface UsageFleet {
  readonly devices: readonly UsageDeviceRow[];
  /** In the order of time. */
  readonly places: readonly UsagePlace[];
  readonly decommissioned: readonly DecommissionedSpan[];
}

/** Reads all devices and their places. */
export async function selectUsageFleet(executor: SqlExecutor): Promise<UsageFleet> {
  const [devices, places, decommissioned] = await Promise.all([
    executor.query<UsageDeviceRow>(`
select gpu_key::float8 as "gpuKey", uuid, ${epochMs("first_seen_at")} as "firstSeenMs", ${epochMs("last_seen_at")} as "lastSeenMs"
from gpus order by gpu_key`),
    executor.query<UsagePlace>(`
select gpu_key::float8 as "gpuKey", ${epochMs("valid_from")} as "fromMs", cluster_id as "clusterId", hostname, gpu_id as "gpuId",
  model_name as "modelName", coalesce(properties ->> '${migProfileProperty}', '') as profile from gpu_attributes order by valid_from`),
    executor.query<Omit<DecommissionedSpan, "toMs"> & { toMs: number | null }>(`
select uuid, ${epochMs("from_at")} as "fromMs", ${epochMs("least(to_at, returned_at)")} as "toMs"
from inventory_spans where uuid <> '' and state = 'decommissioned'`),
  ]);
  return {
    devices,
    places: places.map((place) => ({ ...place, fromMs: Math.round(place.fromMs) })),
    decommissioned: decommissioned.map((span) => ({ ...span, toMs: span.toMs ?? Infinity })),
  };
}

/** Reads the labels in reports that say who holds a device. @returns by key and id of the attributes, only of those that have some */
export async function selectHolderLabels(
  executor: SqlExecutor,
  ids: readonly ReportId[],
): Promise<ReadonlyMap<string, HolderLabels>> {
  const reported = await selectReported(executor, ids);
  return new Map(
    reported.map(({ gpuKey, attributesId, attributes }) => [
      labelsKey(gpuKey, attributesId),
      holderLabelsOf(attributes.properties),
    ]),
  );
}

/** The key of labels in `selectHolderLabels`. */
export const labelsKey = (gpuKey: number, attributesId: number | null): string => `${gpuKey} ${attributesId}`;
