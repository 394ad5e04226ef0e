import { type Device, isStale } from "./device.ts";
import { matching, sorted } from "./ranking.ts";
import type { Scene } from "./screen.ts";
import { summaryOf } from "./summary.ts";

const timeOf = (atMs: number | undefined): string | null => (atMs === undefined ? null : new Date(atMs).toISOString());

/** The fleet for programs: raw numbers, and null for what is absent. */
export function snapshotOf({ devices, view, feed, nowMs }: Scene) {
  const shown = sorted(matching(devices, view.filter), view.sort, view.isReversed);
  const summary = summaryOf(shown, nowMs);
  return {
    at: timeOf(nowMs),
    stale_since: timeOf(feed.awaySinceMs),
    is_cut: feed.isCut,
    summary: {
      ...{ devices: summary.devices, hosts: summary.hosts, busy: summary.busy, stale: summary.stale },
      power_draw: summary.watts ?? null,
      temperature_mean: summary.meanTemperature ?? null,
      temperature_max: summary.maxTemperature ?? null,
      newest_at: timeOf(summary.newestAtMs),
    },
    rows: shown.map((device) => rowOf(device, nowMs)),
  };
}

function rowOf(device: Device, nowMs: number) {
  return {
    ...{ uuid: device.uuid, parent_uuid: device.parentUuid ?? null, cluster_id: device.cluster, hostname: device.host },
    ...{ gpu_id: device.index, mig_instance_id: device.instance ?? null, model: device.model },
    gpu_utilization: device.utilization ?? null,
    memory_used_mb: device.usedMebibytes ?? null,
    memory_total_mb: device.totalMebibytes ?? null,
    temperature: device.temperature ?? null,
    power_draw: device.watts ?? null,
    workload: device.holder === "" ? null : device.holder,
    timestamp: timeOf(device.atMs),
    is_stale: isStale(device, nowMs),
  };
}
