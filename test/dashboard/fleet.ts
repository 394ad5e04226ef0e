import type { Device } from "../../src/dashboard/model/device.ts";
import { FleetData } from "../../src/dashboard/model/fleet-data.ts";

export const startMs = Date.parse("2026-01-05T12:00:00Z");

/** A device of the list; by default, GPU 0 of host-a. */
export function device(given: Partial<Device> = {}): Device {
  const [hostname, index] = [given.hostname ?? "host-a", given.index ?? "0"];
  return {
    ...{ uuid: `GPU-${hostname}-${index}`, hostname, index, model: "NVIDIA H100", clusterId: "lab" },
    ...{
      parentUuid: undefined,
      isUnderMaintenance: false,
      isReporting: true,
      migInstanceId: undefined,
      migProfile: undefined,
    },
    ...given,
  };
}

/** A fleet whose devices have a record each, `afterS` seconds after the start. */
export function fleetOf(
  ...devices: (
    readonly [Partial<Device>, Readonly<Record<string, number>>, afterS?: number] | readonly [Partial<Device>]
  )[]
): FleetData {
  const data = new FleetData();
  data.replaceDevices(devices.map(([given]) => device(given)));
  for (const [given, values, afterS = 0] of devices) {
    if (values === undefined) continue;
    const { uuid } = device(given);
    data.apply({ uuid, timeMs: startMs + afterS * 1000, values, holders: [] });
  }
  data.updateStates(startMs + 3_600_000);
  data.takeChanged();
  return data;
}

/** All positions of a fleet. */
export const everyone = (data: FleetData): Int32Array => Int32Array.from(data.devices.keys());
