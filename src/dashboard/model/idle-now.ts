import type { FleetData } from "./fleet-data.ts";

/** A device that is used less than this, in percent, is idle; as the rule held.idle and USAGE_ACTIVE_PERCENT have it by default. */
export const idleBelow = 5;

/** A workload that holds idle devices now. */
export interface IdleHolder {
  readonly namespace: string;
  /** Its pod, or its container if that is all that is known. */
  readonly pod: string;
  /** The positions of its idle devices, in the order of the list. */
  readonly idle: readonly number[];
  /** The number of devices that it holds. */
  readonly held: number;
  /** What the idle devices draw; undefined: they do not report it. */
  readonly powerWatts: number | undefined;
  /** The beginning of the longest time without use that is known; undefined: none is. */
  readonly sinceMs: number | undefined;
}

/** Who holds idle devices at this time. */
export interface IdleNow {
  /** Those with the most idle devices first. */
  readonly holders: readonly IdleHolder[];
  /** The number of held devices that report, and that are idle. */
  readonly held: number;
  readonly idle: number;
  /** The number of held devices that do not say how much they are used. */
  readonly unmeasured: number;
}

/** Whose idle devices are wanted. */
export interface WantedHolder {
  readonly namespace?: string | undefined;
  readonly pod?: string | undefined;
}

/** Finds the devices that are held and not used. Devices that do not report now are not known to be idle. A device that several hold
 *  counts for each of them.
 *  @param sinceMs since when a device is idle, by its uuid */
export function idleNow(data: FleetData, wanted: WantedHolder, sinceMs: ReadonlyMap<string, number>): IdleNow {
  const found = new Map<string, { namespace: string; pod: string; idle: number[]; held: number }>();
  let [held, idle, unmeasured] = [0, 0, 0];
  for (let position = 0; position < data.size; position++) {
    const holders = holdersAt(data, position, wanted);
    if (holders.length === 0) continue;
    const used = usedPercent(data, position);
    held++;
    if (Number.isNaN(used)) unmeasured++;
    if (used < idleBelow) idle++;
    for (const { namespace, pod } of holders) {
      const key = JSON.stringify([namespace, pod]);
      const holder = found.get(key) ?? { namespace, pod, idle: [], held: 0 };
      found.set(key, holder);
      holder.held++;
      if (used < idleBelow) holder.idle.push(position);
    }
  }
  const holders = [...found.values()]
    .filter((holder) => holder.idle.length > 0)
    .map((holder) => ({ ...holder, ...figuresOf(data, holder.idle, sinceMs) }))
    .sort((a, b) => b.idle.length - a.idle.length || (b.powerWatts ?? 0) - (a.powerWatts ?? 0));
  return { holders, held, idle, unmeasured };
}

/** How much a device is used; MIG instances report the activity of their graphics engine instead of utilization. */
function usedPercent(data: FleetData, position: number): number {
  const utilization = data.field("gpu_utilization")[position] ?? NaN;
  return Number.isNaN(utilization) ? (data.field("gr_engine_active")[position] ?? NaN) * 100 : utilization;
}

function holdersAt(data: FleetData, position: number, { namespace, pod }: WantedHolder) {
  if (data.stateOf(position) !== "reporting") return [];
  const names = (data.holders[position] ?? [])
    .map((holder) => ({ namespace: holder.namespace, pod: holder.pod || holder.container }))
    .filter((each) => (namespace ?? each.namespace) === each.namespace && (pod ?? each.pod) === each.pod);
  // several containers of a pod hold a device as one
  return names.filter(
    (each, index) => names.findIndex((other) => other.namespace === each.namespace && other.pod === each.pod) === index,
  );
}

function figuresOf(data: FleetData, positions: readonly number[], sinceMs: ReadonlyMap<string, number>) {
  const watts = positions.map((position) => data.field("power_draw")[position] ?? NaN).filter((each) => each >= 0);
  const since = positions.flatMap((position) => sinceMs.get(data.devices[position]?.uuid ?? "") ?? []);
  return {
    powerWatts: watts.length === 0 ? undefined : watts.reduce((sum, each) => sum + each, 0),
    sinceMs: since.length === 0 ? undefined : Math.min(...since),
  };
}
