import { type Device, isStale } from "./device.ts";

/** A device is busy if its utilisation is at least this, in percent: monitoring itself causes some. */
export const busyPercent = 5;

/** What the header says of the devices in the table. A figure of which no device has a value is undefined. */
export interface Summary {
  readonly devices: number;
  readonly hosts: number;
  readonly busy: number;
  readonly stale: number;
  readonly watts: number | undefined;
  readonly meanTemperature: number | undefined;
  readonly maxTemperature: number | undefined;
  readonly newestAtMs: number | undefined;
}

/** A MIG instance counts as a device; power and temperature are those of GPUs, of which an instance may repeat them. Stale devices count in
 *  no figure, unless all are stale: an import of old files shows what it has. */
export function summaryOf(devices: readonly Device[], nowMs: number): Summary {
  const hosts = new Map<string, Set<string>>();
  const [power, temperature] = [new Figure(), new Figure()];
  const stale = new Set(devices.filter((device) => isStale(device, nowMs)));
  const isLive = stale.size < devices.length;
  let [busy, newestAtMs] = [0, -Infinity];
  for (const device of devices) {
    hostsOf(hosts, device.cluster).add(device.host);
    newestAtMs = Math.max(newestAtMs, device.atMs);
    if (isLive && stale.has(device)) continue;
    if ((device.utilization ?? 0) >= busyPercent) busy += 1;
    if (device.parentUuid !== undefined) continue;
    power.add(device.watts);
    temperature.add(device.temperature);
  }
  return {
    ...{ devices: devices.length, busy, stale: stale.size },
    hosts: [...hosts.values()].reduce((sum, { size }) => sum + size, 0),
    watts: power.count === 0 ? undefined : power.sum,
    meanTemperature: temperature.count === 0 ? undefined : temperature.sum / temperature.count,
    maxTemperature: temperature.count === 0 ? undefined : temperature.max,
    newestAtMs: newestAtMs === -Infinity ? undefined : newestAtMs,
  };
}

/** Two clusters may have hosts of one name. */
function hostsOf(hosts: Map<string, Set<string>>, cluster: string): Set<string> {
  const known = hosts.get(cluster);
  if (known !== undefined) return known;
  const added = new Set<string>();
  hosts.set(cluster, added);
  return added;
}

class Figure {
  sum = 0;
  count = 0;
  max = -Infinity;

  add(value: number | undefined): void {
    if (value === undefined) return;
    this.sum += value;
    this.count += 1;
    this.max = Math.max(this.max, value);
  }
}
