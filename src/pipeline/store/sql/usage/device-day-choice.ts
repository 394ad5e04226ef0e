import { hoursAround } from "../../../../db/sql/usage-days.ts";
import type { UsagePlace } from "../../../../db/sql/usage-devices.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import { deviceOf, type IsWanted, type KnownHours } from "../../../../domain/usage/device-day.ts";
import type { UsageFilter } from "../../../../domain/usage/usage.ts";
import type { UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { OwnUsage } from "./own-usage.ts";
import type { DevicesOfDay } from "./stored-days.ts";
import { type GpuFamily, hostKeyOf, membersOf, placeAt, selects, staysIn, type UsageDevice } from "./usage-fleet.ts";

/** The part of a day that follows from the days of devices. */
export interface ChosenDay {
  readonly entries: readonly UsageDayEntry[];
  /** The families of which it does not follow: their hours are to be read. */
  readonly left: readonly GpuFamily[];
}

type Part = ReturnType<OwnUsage["partOfDay"]>;
type KnownOf = ReadonlyMap<number, KnownHours>;

/** Chooses the part of days of devices that a filter selects. What a caller with bounds may see of a GPU follows from them if all of it is within, or
 *  nothing; and for a GPU without MIG instances, if all of it is within in the hours that count for the day. */
export class DeviceDayChoice {
  private readonly devices = new Map<number, { readonly device: UsageDevice; readonly family: GpuFamily }>();
  /** The families of which it depends on the day what follows. */
  private readonly changing: readonly GpuFamily[];

  /** @param families those with a device that the filter may select */
  constructor(
    private readonly filter: Pick<UsageFilter, "gpus">,
    families: readonly GpuFamily[],
    private readonly own: OwnUsage | undefined,
  ) {
    for (const family of families) {
      for (const device of membersOf(family)) this.devices.set(device.gpuKey, { device, family });
      const { board, uuid = "", instances } = family;
      if (board !== undefined) continue;
      // a GPU that has not reported has the key of an instance
      for (const each of instances) this.devices.set(-each.gpuKey, { device: { ...each, uuid }, family });
    }
    this.changing = families.filter((family) => this.changesIndex(family) || !this.isAllWithin(family));
  }

  /** The keys of the hosts that its devices were on. */
  hostKeys(): ReadonlySet<number> {
    const names = new Map<string, UsagePlace>();
    for (const { device } of this.devices.values()) {
      for (const place of device.places) names.set(`${place.clusterId}\n${place.hostname}`, place);
    }
    return new Set([...names.values()].map(hostKeyOf));
  }

  uuidOf(key: number): string {
    return this.devices.get(key)?.device.uuid ?? String(key);
  }

  of({ day, known, entriesOf }: DevicesOfDay): ChosenDay {
    const knownOf = new Map(this.changing.length === 0 ? [] : known.map((each) => [each.gpuKey, each]));
    const around = hoursAround(day);
    const parts = new Map(this.changing.map((family) => [family, this.partOf(family, knownOf, around)]));
    const chosen: UsageDayEntry[] = [];
    const isWanted: IsWanted = (gpuKey) => {
      const family = this.devices.get(gpuKey)?.family;
      return family !== undefined && (parts.get(family) ?? "all") === "all";
    };
    for (const entry of entriesOf(isWanted)) {
      const device = this.devices.get(deviceOf(entry))?.device;
      if (device === undefined || !this.isSelected(entry, device)) continue;
      const shown = this.own === undefined ? entry : this.own.shownOfDay(entry);
      if (shown !== undefined) chosen.push(shown);
    }
    return { entries: chosen, left: this.changing.filter((family) => parts.get(family) === "some") };
  }

  /** True if a filter by the index on the host needs to know when the index of a device changed, which days do not say. */
  private changesIndex(family: GpuFamily): boolean {
    if (this.filter.gpus.gpuId === undefined) return false;
    return membersOf(family).some(({ places }) => places.some(({ gpuId }) => gpuId !== places[0]?.gpuId));
  }

  private isAllWithin(family: GpuFamily): boolean {
    return membersOf(family).every(({ gpuKey }) => this.own?.hasAllOf(gpuKey) ?? true);
  }

  private partOf(family: GpuFamily, knownOf: KnownOf, around: TimeRange): Part {
    const { own } = this;
    if (own === undefined || this.changesIndex(family)) return "some";
    const parts = membersOf(family).map(({ gpuKey }): Part => {
      if (own.hasAllOf(gpuKey)) return "all";
      const known = knownOf.get(gpuKey);
      return known === undefined ? "none" : own.partOfDay(known, around);
    });
    if (parts.every((part) => part === "none")) return "none";
    const { board, instances } = family;
    const isAll = board !== undefined && instances.length === 0 && parts[0] === "all" && staysIn(board, around);
    return isAll ? "all" : "some";
  }

  private isSelected({ where, figures }: UsageDayEntry, device: UsageDevice): boolean {
    return selects(this.filter, device, { ...placeAt(device, figures["fromMs"] ?? NaN), ...where });
  }
}
