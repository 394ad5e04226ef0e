import type { SqlExecutor } from "../../../../db/client.ts";
import { selectUsageFleet } from "../../../../db/sql/usage-devices.ts";
import { dayMs, type TimeRange } from "../../../../domain/time-range.ts";
import { familiesOf, type GpuFamily, membersOf, type UsageDevice } from "./usage-fleet.ts";

/** All of the fleet, and its marks. */
export interface MarkedFleet {
  readonly families: readonly GpuFamily[];
  readonly marks: FleetMarks;
}

/** Reads all of the fleet. */
export async function readMarkedFleet(executor: SqlExecutor): Promise<MarkedFleet> {
  const families = familiesOf(await selectUsageFleet(executor), { gpus: {} });
  return { families, marks: new FleetMarks(families) };
}

/** Changes whenever the same hours and devices amount to other figures. */
const version = 2n;

/** A family, and what saves computing its mark for each day. */
interface MarkedFamily {
  readonly family: GpuFamily;
  readonly members: readonly UsageDevice[];
  readonly seen: TimeRange;
  /** From then on it has one device in one place; Infinity: it has had more. */
  readonly simpleFromMs: number;
  /** That of the days in which it is seen all the time. */
  simple: bigint | undefined;
}

/** Finds texts that differ if what counts for a day has changed besides its records: the devices, from when to when they were seen, their
 *  shares and places, and when they were decommissioned. What devices did after the day, or before it, does not matter. */
export class FleetMarks {
  private readonly families: readonly MarkedFamily[];
  private readonly textMarks = new Map<string, number>();

  /** @param families all of the fleet */
  constructor(families: readonly GpuFamily[]) {
    this.families = families.map((family) => {
      const members = membersOf(family);
      const [only] = members;
      const isSimple = members.length === 1 && only?.places.length === 1 && family.gone.length === 0;
      return {
        ...{ family, members, simple: undefined },
        seen: {
          fromMs: Math.min(...members.map(({ seen }) => seen.fromMs)),
          toMs: Math.max(...members.map(({ seen }) => seen.toMs)),
        },
        simpleFromMs: isSimple ? Math.max(only.seen.fromMs, only.places[0]?.fromMs ?? 0) : Infinity,
      };
    });
  }

  /** The mark of a day. @param day its beginning */
  of(day: number): string {
    const range = { fromMs: day, toMs: day + dayMs };
    let sum = version;
    for (const family of this.families) {
      if (family.seen.fromMs >= range.toMs || family.seen.toMs <= range.fromMs) continue;
      sum += this.markOf(family, range);
    }
    return BigInt.asUintN(64, sum).toString(16).padStart(16, "0");
  }

  private markOf(marked: MarkedFamily, range: TimeRange): bigint {
    const isSimple = marked.simpleFromMs <= range.fromMs && marked.seen.toMs >= range.toMs;
    if (!isSimple) return this.computed(marked.family, marked.members, range);
    return (marked.simple ??= this.computed(marked.family, marked.members, range));
  }

  private computed(family: GpuFamily, members: readonly UsageDevice[], range: TimeRange): bigint {
    const { fromMs, toMs } = range;
    const figures: number[] = [];
    // what lies before or after the day is the same as its beginning or end, and that it covers the day as that it has no bounds
    const clipped = (at: number): number => (at <= fromMs ? -1 : at >= toMs ? -2 : at);
    figures.push(this.textMark(family.uuid ?? ""), family.board === undefined ? 0 : 1);
    for (const { gpuKey, seen, parts, isSized, places } of members) {
      figures.push(gpuKey, clipped(seen.fromMs), clipped(seen.toMs), parts, isSized ? 1 : 0);
      const before = places.findLast((place) => place.fromMs <= fromMs) ?? places[0];
      for (const place of places) {
        if (place !== before && !(place.fromMs > fromMs && place.fromMs < toMs)) continue;
        figures.push(clipped(place.fromMs), place.gpuId);
        for (const name of [place.clusterId, place.hostname, place.modelName]) figures.push(this.textMark(name));
      }
    }
    for (const gone of family.gone) {
      if (gone.fromMs < toMs && gone.toMs > fromMs) figures.push(clipped(gone.fromMs), clipped(gone.toMs));
    }
    return Bun.hash.xxHash64(Float64Array.from(figures).buffer);
  }

  private textMark(text: string): number {
    let mark = this.textMarks.get(text);
    if (mark === undefined) this.textMarks.set(text, (mark = Bun.hash.xxHash32(text)));
    return mark;
  }
}
