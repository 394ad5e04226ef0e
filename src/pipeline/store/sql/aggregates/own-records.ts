import type { OwnSpan } from "../../../../db/sql/select-spans.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import type { GpuBounds } from "../../../../domain/gpu-bounds.ts";
import type { Holder } from "../../../../domain/rollup/rollup.ts";
import { skipsEmptyHours } from "../history/skips-empty-hours.ts";

/** Which records lie within the bounds of a caller. */
export class OwnRecords {
  private readonly spansOf: ReadonlyMap<number, readonly OwnSpan[]> | undefined;
  private readonly namespaces: ReadonlySet<string> | undefined;
  readonly skipsEmptyHours: boolean;

  /** @param spans when GPUs were in places within the bounds, in the order of time; undefined: no bounds on places */
  constructor(bounds: GpuBounds | undefined, spans: readonly OwnSpan[] | undefined) {
    this.spansOf = spans && Map.groupBy(spans, ({ gpuKey }) => gpuKey);
    this.namespaces = bounds?.namespaces && new Set(bounds.namespaces);
    this.skipsEmptyHours = skipsEmptyHours(bounds);
  }

  get restrictsPlaces(): boolean {
    return this.spansOf !== undefined;
  }

  get restrictsNamespaces(): boolean {
    return this.namespaces !== undefined;
  }

  /** True if the GPU was ever in a place within. */
  hasGpu(gpuKey: number): boolean {
    return this.spansOf === undefined || this.spansOf.has(gpuKey);
  }

  /** The parts of a range in which the GPU was in a place within. */
  within(gpuKey: number, { fromMs, toMs }: TimeRange): readonly TimeRange[] {
    if (this.spansOf === undefined) return [{ fromMs, toMs }];
    return (this.spansOf.get(gpuKey) ?? []).flatMap((span) => {
      const part = { fromMs: Math.max(fromMs, span.fromMs), toMs: Math.min(toMs, span.toMs) };
      return part.fromMs < part.toMs ? [part] : [];
    });
  }

  /** True if the GPU was in a place within at some instant of a range. */
  isWithin(gpuKey: number, range: TimeRange): boolean {
    return this.spansOf === undefined || this.within(gpuKey, range).length > 0;
  }

  /** The names of a holder that are within. */
  namesOf(holder: Holder): Holder {
    const { namespaces } = this;
    return namespaces === undefined ? holder : holder.filter((name) => namespaces.has(name));
  }

  /** For each hour of a range, the GPUs that were in a place within for only a part of it. */
  movedIn(range: TimeRange, hourMs: number): ReadonlyMap<number, ReadonlySet<number>> {
    const moved = new Map<number, Set<number>>();
    for (const [gpuKey, spans] of this.spansOf ?? []) {
      for (const instant of spans.flatMap(({ fromMs, toMs }) => [fromMs, toMs])) {
        const hour = Math.floor(instant / hourMs) * hourMs;
        if (!(hour >= range.fromMs && hour < range.toMs) || hour === instant) continue;
        const ofHour = moved.get(hour) ?? new Set<number>();
        moved.set(hour, ofHour.add(gpuKey));
      }
    }
    return moved;
  }
}
