import type { Block, Run } from "../../../../domain/block/block.ts";
import type { GpuBounds } from "../../../../domain/gpu-bounds.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import type { KnownHours } from "../../../../domain/usage/device-day.ts";
import type { DeviceUsage } from "../../../../domain/usage/packed-usage.ts";
import type { UsageDayEntry } from "../../../../domain/usage/usage-day.ts";
import type { OwnRecords } from "../aggregates/own-records.ts";

type Records = Pick<Block, "timesMs" | "metrics" | "runs">;

/** What a caller with bounds sees of usage: what the records within amount to, as if there were no others. The usage of an hour whose
 *  records are all within is that; of any other hour with some, it follows from the records, as long as these are kept. */
export class OwnUsage {
  private readonly namespaces: ReadonlySet<string> | undefined;

  constructor(
    readonly bounds: GpuBounds,
    private readonly own: OwnRecords,
  ) {
    this.namespaces = bounds.namespaces && new Set(bounds.namespaces);
  }

  /** True if everything about a device is within. */
  hasAllOf(gpuKey: number): boolean {
    if (this.namespaces !== undefined) return false;
    const [part, ...others] = this.own.within(gpuKey, { fromMs: -Infinity, toMs: Infinity });
    return part?.fromMs === -Infinity && part.toMs === Infinity && others.length === 0;
  }

  /** How much of a device's hour is within. */
  partOf({ gpuKey, usage }: DeviceUsage, hour: number): "all" | "some" | "none" {
    const places = this.own.within(gpuKey, { fromMs: hour, toMs: hour + hourMs });
    const isWhole = places.length === 1 && places[0]?.fromMs === hour && places[0].toMs === hour + hourMs;
    const known = usage.spans.flatMap(({ holder }) => (holder === undefined ? [] : [holder.occupants]));
    const areHeld = known.map((occupants) => occupants.map((occupant) => this.isOwn(occupant)));
    if (places.length === 0 || !areHeld.some((owns) => this.namespaces === undefined || owns.includes(true))) {
      return "none";
    }
    const areAll = areHeld.every((owns) => this.namespaces === undefined || (owns.length > 0 && !owns.includes(false)));
    return isWhole && areAll ? "all" : "some";
  }

  /** The same of the hours that count for a day. With `all`, the device stays in its place, and what its entries say is within. */
  partOfDay({ gpuKey, isInEach, namespaces }: KnownHours, around: TimeRange): "all" | "some" | "none" {
    const places = this.own.within(gpuKey, around);
    const areOwn = namespaces.map(
      (name) => this.namespaces === undefined || (name !== null && this.namespaces.has(name)),
    );
    if (places.length === 0 || !areOwn.includes(true)) return "none";
    const isWhole = places.length === 1 && places[0]?.fromMs === around.fromMs && places[0].toMs === around.toMs;
    return isWhole && isInEach && !areOwn.includes(false) ? "all" : "some";
  }

  /** The entry of a day that is within as a whole, as a caller sees it (`shown`); undefined: not at all. */
  shownOfDay(entry: UsageDayEntry): UsageDayEntry | undefined {
    if (this.namespaces === undefined) return entry;
    const { who } = entry;
    // what others had is not shown, whatever the day says of its holders
    const isShown = who.state === "allocated" && this.isOwn(who.workload);
    return isShown ? { ...entry, who: { ...who, job: "", user: "" } } : undefined;
  }

  /** The usage of an hour that is within as a whole. Bounds on namespaces leave labels out. */
  shown(device: DeviceUsage): DeviceUsage {
    if (this.namespaces === undefined) return device;
    const spans = device.usage.spans.map((span) => ({
      ...span,
      holder: span.holder && { ...span.holder, job: "", user: "" },
    }));
    return { ...device, usage: { ...device.usage, spans } };
  }

  /** The records within, of all those of a device in an hour; undefined if there are none. */
  recordsOf<Part extends Records & { readonly gpuKey: number }>(part: Part): Part | undefined {
    const { gpuKey, timesMs, metrics, runs } = part;
    const places = this.own.within(gpuKey, { fromMs: -Infinity, toMs: Infinity });
    const kept: number[] = [];
    const ownRuns: Run[] = [];
    let record = 0;
    for (const run of runs) {
      const occupants = run.occupants.filter((occupant) => this.isOwn(occupant));
      let records = 0;
      for (const end = record + run.records; record < end; record += 1) {
        const atMs = timesMs[record] as number;
        if (this.namespaces !== undefined && occupants.length === 0) continue;
        if (!places.some(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs)) continue;
        kept.push(record);
        records += 1;
      }
      const attributesId = this.namespaces === undefined ? run.attributesId : null;
      if (records > 0) ownRuns.push({ records, attributesId, occupants });
    }
    if (kept.length === 0) return undefined;
    const some = (values: Float64Array): Float64Array => Float64Array.from(kept, (index) => values[index] as number);
    const ofMetrics = new Map(Array.from(metrics, ([name, values]) => [name, some(values)]));
    return { ...part, timesMs: some(timesMs), metrics: ofMetrics, runs: ownRuns };
  }

  private isOwn({ namespace }: { readonly namespace: string }): boolean {
    return this.namespaces?.has(namespace) ?? true;
  }
}
