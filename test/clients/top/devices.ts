import type { TelemetryRecord } from "gpu-telemetry-client";
import type { Device } from "../../../scripts/telemetry/top/device.ts";
import { Fleet } from "../../../scripts/telemetry/top/fleet.ts";
import type { Scene } from "../../../scripts/telemetry/top/screen.ts";

export const nowMs = Date.UTC(2025, 6, 18, 20, 42, 34);

/** A record of the API, `age` seconds old. */
export function recordOf(uuid: string, more: Partial<TelemetryRecord> & { age?: number } = {}): TelemetryRecord {
  const { age = 1, ...fields } = more;
  return {
    ...{ telemetry_id: uuid, uuid, gpu_id: "0", device: "", model_name: "NVIDIA H100", hostname: "host-a" },
    ...{ cluster_id: "lab", timestamp: new Date(nowMs - age * 1000).toISOString() },
    ...fields,
  };
}

export function devicesOf(...records: readonly TelemetryRecord[]): readonly Device[] {
  const fleet = new Fleet();
  fleet.replace(records);
  return fleet.devices;
}

/** A scene with the devices, sorted by place, with a gateway that answers. */
export function sceneOf(devices: readonly Device[], view: Partial<Scene["view"]> = {}): Scene {
  const whole = { sort: "gpu", isReversed: false, filter: "", isTyping: false, offset: 0 } as const;
  const feed = { awaySinceMs: undefined, isCut: false, problem: undefined };
  return { devices, view: { ...whole, ...view }, feed, nowMs };
}
