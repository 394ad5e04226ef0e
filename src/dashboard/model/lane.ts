import { type Holder, holderText } from "./device.ts";
import type { TimeWindow } from "./time-choice.ts";

/** Something that lasted, on the axis of time of the charts, cut at the ends of the window. */
export interface LaneItem extends TimeWindow {
  readonly id: string;
  readonly text: string;
  /** The beginning or the end is outside the window, or is not known yet. */
  readonly beganBefore: boolean;
  readonly isOpen: boolean;
}

/** Something that lasts, or has lasted until `toMs`. */
export interface Lasting extends TimeWindow {
  readonly id: string;
  readonly text: string;
}

/** Who holds a device from an instant on; without holders, no workload does. */
export interface HoldingChange {
  readonly fromMs: number;
  readonly holders: readonly Holder[];
}

/** What lasted at some instant of a window, in the same order. */
export function itemsIn(all: readonly Lasting[], { fromMs, toMs }: TimeWindow): LaneItem[] {
  return all.flatMap((each) => {
    if (each.toMs <= fromMs || each.fromMs >= toMs) return [];
    const cut = { fromMs: Math.max(each.fromMs, fromMs), toMs: Math.min(each.toMs, toMs) };
    return [{ id: each.id, text: each.text, ...cut, beganBefore: each.fromMs < fromMs, isOpen: each.toMs > toMs }];
  });
}

/** Who held a device; times without a holder are left out.
 *  @param changes in the order of their times */
export function holdingsOf(changes: readonly HoldingChange[]): Lasting[] {
  return changes.flatMap(({ fromMs, holders }, index) => {
    const [text, toMs] = [holderText(holders), changes[index + 1]?.fromMs ?? Infinity];
    return text === "" ? [] : [{ id: `${fromMs} ${text}`, text, fromMs, toMs }];
  });
}

/** The row of each item, so that items of the same time are below each other. */
export function laneRows(items: readonly LaneItem[]): number[] {
  const ends: number[] = [];
  return items.map(({ fromMs, toMs }) => {
    const free = ends.findIndex((endMs) => endMs <= fromMs);
    const row = free === -1 ? ends.length : free;
    ends[row] = toMs;
    return row;
  });
}
