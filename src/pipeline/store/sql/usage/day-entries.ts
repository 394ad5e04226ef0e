import type { SqlExecutor } from "../../../../db/client.ts";
import { dayMs, hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { deviceDaysMin, type DeviceDays, deviceOf, type KnownHours } from "../../../../domain/usage/device-day.ts";
import { noPrices } from "../../../../domain/usage/prices.ts";
import type { UsageDayEntry, UsageWhere, UsageWho } from "../../../../domain/usage/usage-day.ts";
import type { UsageHolder, UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import type { UsageOfHour } from "./read-usage.ts";
import { type GpuFamily, hostKeyOf, membersOf, placeAt, type UsageDevice } from "./usage-fleet.ts";
import { type HeldShare, heldShares, UsageSums } from "./usage-sums.ts";
import { usageTime } from "./usage-time.ts";

interface OpenEntry {
  readonly who: UsageWho;
  readonly where: UsageWhere;
  readonly sums: UsageSums;
  readonly deviceKeys: Set<number>;
  fromMs: number;
  toMs: number;
}

type Added = Pick<UsageDayEntry, "who" | "where" | "deviceKeys"> & { readonly range: TimeRange };

/** Entries of a day that are being added up. */
class OpenEntries {
  private readonly entries = new Map<string, OpenEntry>();

  /** @param key tells the entries apart */
  of(key: string, { who, where, deviceKeys, range }: Added): UsageSums {
    let entry = this.entries.get(key);
    if (entry === undefined) {
      const { state, workload, job, user } = who;
      entry = {
        who: { state, workload, job, user },
        where,
        sums: new UsageSums(noPrices),
        deviceKeys: new Set(),
        ...range,
      };
      this.entries.set(key, entry);
    }
    for (const gpuKey of deviceKeys) entry.deviceKeys.add(gpuKey);
    entry.fromMs = Math.min(entry.fromMs, range.fromMs);
    entry.toMs = Math.max(entry.toMs, range.toMs);
    return entry.sums;
  }

  closed(): UsageDayEntry[] {
    return [...this.entries.values()].map(({ who, where, sums, deviceKeys, fromMs, toMs }) => ({
      ...{ who, where, figures: { ...sums.figures(), fromMs, toMs } },
      deviceKeys: [...deviceKeys].sort((a, b) => a - b),
    }));
  }
}

/** A text that tells the holders and places of entries apart. */
export const entryKeyOf = (
  { state, workload, job, user }: UsageWho,
  { clusterId, hostname, modelName }: UsageWhere,
): string =>
  JSON.stringify([
    state,
    workload.namespace,
    workload.pod,
    workload.container,
    job,
    user,
    clusterId,
    hostname,
    modelName,
  ]);

/** The hours of a day, and the one before and the one after it. */
const hoursOfDay = dayMs / hourMs + 2;

/** What is known of devices in the hours that count for a day. */
class OpenHours {
  private readonly known = new Map<number, { hours: number; readonly namespaces: Set<string | null> }>();

  add({ usage }: UsageOfHour): void {
    for (const [gpuKey, { spans }] of usage) {
      let of = this.known.get(gpuKey);
      if (of === undefined) this.known.set(gpuKey, (of = { hours: 0, namespaces: new Set() }));
      of.hours += 1;
      for (const { holder } of spans) if (holder !== undefined) addNamespaces(of.namespaces, holder);
    }
  }

  of(gpuKey: number): KnownHours {
    const { hours = 0, namespaces = [] } = this.known.get(gpuKey) ?? {};
    return { gpuKey, isInEach: hours === hoursOfDay, namespaces: [...namespaces].sort() };
  }
}

function addNamespaces(namespaces: Set<string | null>, { occupants }: UsageHolder): void {
  if (occupants.length === 0) namespaces.add(null);
  for (const { namespace } of occupants) namespaces.add(namespace);
}

/** The devices of some hosts on a day. */
export interface DevicesOfHosts extends DeviceDays {
  /** The least and the greatest key of the hosts, on which the devices were when the day began. */
  readonly firstHost: number;
  readonly lastHost: number;
}

/** A day that was added up. */
export interface AddedUpDay {
  /** By holder and place. */
  readonly entries: readonly UsageDayEntry[];
  /** By device, too. */
  readonly ofDevices: readonly DevicesOfHosts[];
}

/** Adds up the usage of a day. @param families all of the fleet */
export async function addUpDay(
  executor: SqlExecutor,
  range: TimeRange,
  options: { readonly families: readonly GpuFamily[]; readonly thresholds: UsageThresholds },
): Promise<AddedUpDay> {
  const [ofDevices, hours] = [new OpenEntries(), new OpenHours()];
  const timed = { ...options, own: undefined, onUsage: (usage: UsageOfHour) => hours.add(usage) };
  for await (const { shares } of usageTime(executor, { gpus: {}, range }, timed)) {
    for (const share of shares) for (const held of heldShares(share)) addHeld(ofDevices, held);
  }
  const entries = ofDevices.closed();
  const hostOf = hostsOf(options.families, range.fromMs);
  return { entries: sumsOfPlaces(entries), ofDevices: inRows(entries, hours, hostOf) };
}

/** Adds up entries by holder and place. @param entries by device, too */
export function sumsOfPlaces(entries: readonly UsageDayEntry[]): UsageDayEntry[] {
  const ofPlaces = new OpenEntries();
  for (const { who, where, figures, deviceKeys } of entries) {
    const { fromMs = NaN, toMs = NaN } = figures;
    const sums = ofPlaces.of(entryKeyOf(who, where), { who, where, deviceKeys, range: { fromMs, toMs } });
    sums.addDay({ who, where, figures, deviceKeys }, String);
  }
  return ofPlaces.closed();
}

function addHeld(entries: OpenEntries, held: HeldShare): void {
  const { device, segment } = held.share;
  const { clusterId, hostname, modelName } = placeAt(device, segment.atMs);
  const where = { clusterId, hostname, modelName };
  const { fromMs, toMs } = segment;
  const added = { who: held, where, deviceKeys: [device.gpuKey], range: { fromMs, toMs } };
  entries.of(`${device.gpuKey} ${entryKeyOf(held, where)}`, added).add(held);
}

/** Finds the keys of devices' hosts, by the keys of the devices. */
function hostsOf(families: readonly GpuFamily[], atMs: number): ReadonlyMap<number, number> {
  const keys = new Map<string, number>();
  const hostAt = (device: UsageDevice): number => {
    const { clusterId, hostname } = placeAt(device, atMs);
    const name = `${clusterId}\n${hostname}`;
    const key = keys.get(name) ?? hostKeyOf({ clusterId, hostname });
    keys.set(name, key);
    return key;
  };
  return new Map(families.flatMap(membersOf).map((device) => [device.gpuKey, hostAt(device)]));
}

/** Divides a day, so that few devices can be read without the others. The devices of a host stay together. */
function inRows(
  entries: readonly UsageDayEntry[],
  hours: OpenHours,
  hostOf: ReadonlyMap<number, number>,
): DevicesOfHosts[] {
  const ofHosts = Map.groupBy(entries, (entry) => hostOf.get(keyWithin(entry)) ?? 0);
  const rows: (readonly [host: number, entries: readonly UsageDayEntry[]])[][] = [];
  let size = Infinity;
  for (const ofHost of [...ofHosts].sort(([a], [b]) => a - b)) {
    if (size >= deviceDaysMin) {
      rows.push([]);
      size = 0;
    }
    rows.at(-1)?.push(ofHost);
    size += ofHost[1].length;
  }
  return rows.map((row) => {
    const ofRow = row.flatMap(([, ofHost]) => ofHost.toSorted((a, b) => keyWithin(a) - keyWithin(b)));
    const keys = [...new Set(ofRow.map(keyWithin))];
    const [firstHost = NaN, lastHost = NaN] = [row[0]?.[0], row.at(-1)?.[0]];
    return { entries: ofRow, known: keys.map((gpuKey) => hours.of(gpuKey)), firstHost, lastHost };
  });
}

/** The key of an entry's device, or that of the instance of its GPU. */
const keyWithin = (entry: UsageDayEntry): number => Math.abs(deviceOf(entry));
