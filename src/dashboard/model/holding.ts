import { type Holder, holderText } from "./device.ts";
import type { TimeWindow } from "./time-choice.ts";

/** Who holds a device from an instant on; without holders, no workload does. */
export interface HoldingChange {
  readonly fromMs: number;
  readonly holders: readonly Holder[];
}

/** A time in which the same workloads hold a device. */
export interface Holding extends TimeWindow {
  readonly text: string;
  /** The beginning or the end is outside the window, or is not known yet. */
  readonly beganBefore: boolean;
  readonly isOpen: boolean;
}

/** Who held a device in a window, in the order of time; times without a holder are left out.
 *  @param changes in the order of their times */
export function holdingsIn(changes: readonly HoldingChange[], { fromMs, toMs }: TimeWindow): Holding[] {
  return changes.flatMap((change, index) => {
    const endMs = changes[index + 1]?.fromMs ?? Infinity;
    const text = holderText(change.holders);
    if (text === "" || endMs <= fromMs || change.fromMs >= toMs) return [];
    return [
      {
        fromMs: Math.max(change.fromMs, fromMs),
        toMs: Math.min(endMs, toMs),
        text,
        beganBefore: change.fromMs < fromMs,
        isOpen: endMs > toMs,
      },
    ];
  });
}
