import type { FleetData } from "./fleet-data.ts";
import type { RecordField } from "./metric.ts";

/** A device whose utilization is above this is busy. Percent: the driver's own work on an idle GPU stays below. */
export const busyAbove = 5;

/** The figures above the heat map. */
export interface FleetSummary {
  readonly devices: number;
  readonly reporting: number;
  readonly stale: number;
  readonly maintenance: number;
  readonly unreported: number;
  readonly hosts: number;
  readonly busy: number;
  /** The devices that report their utilization now. */
  readonly measured: number;
  /** Undefined: no device reports its power. */
  readonly powerWatts: number | undefined;
  /** The position of the device with the highest temperature; undefined: no device reports one. */
  readonly hottest: number | undefined;
}

/** The figures of the devices in a view. Only what reporting devices say counts. A MIG instance counts for power only if its GPU does
 *  not report it, because the board's power is repeated for each of its instances. */
export function summaryOf(data: FleetData, view: Int32Array): FleetSummary {
  const counts = { reporting: 0, stale: 0, maintenance: 0, unreported: 0 };
  const hosts = new Set<string>();
  const [utilization, temperature] = [data.field("gpu_utilization"), data.field("temperature")];
  let [busy, measured, hottest] = [0, 0, -1];
  for (const position of view) {
    const state = data.stateOf(position);
    counts[state]++;
    hosts.add(data.devices[position]?.hostname ?? "");
    if (state !== "reporting") continue;
    const used = utilization[position] ?? NaN;
    if (!Number.isNaN(used)) measured++;
    if (used > busyAbove) busy++;
    if ((temperature[position] ?? NaN) > (temperature[hottest] ?? -Infinity)) hottest = position;
  }
  return {
    ...counts,
    ...{ devices: view.length, hosts: hosts.size, busy, measured },
    powerWatts: boardSum(data, view, "power_draw"),
    hottest: hottest === -1 ? undefined : hottest,
  };
}

function boardSum(data: FleetData, view: Int32Array, name: RecordField): number | undefined {
  const column = data.field(name);
  const isReported = (position: number | undefined): position is number =>
    position !== undefined && data.stateOf(position) === "reporting" && !Number.isNaN(column[position] ?? NaN);
  /** Of several instances of a GPU that does not report, one counts. */
  const counted = new Set<string>();
  let sum: number | undefined;
  for (const position of view) {
    if (!isReported(position)) continue;
    const parent = data.devices[position]?.parentUuid;
    if (parent !== undefined) {
      if (isReported(data.positionOf(parent)) || counted.has(parent)) continue;
      counted.add(parent);
    }
    sum = (sum ?? 0) + (column[position] ?? 0);
  }
  return sum;
}
