import { type NeedInput, readSignals } from "./need.ts";
import type { Reason } from "./reason.ts";

/** The figures of the queue, all of them known. */
export interface QueueFigures {
  readonly waiting: number;
  readonly depth: number;
  readonly ageSeconds: number;
  readonly arrivalPerSecond: number;
  readonly drainPerSecond: number;
  /** Collectors that report an error; undefined if not known. */
  readonly failing: number | undefined;
}

/** Below this share of what the collectors usually store, they are stuck: their rate is no longer that of a busy collector. */
export const stuckShare = 0.5;

/** @returns a reason to hold if a figure is missing or too old */
export function readQueue(
  input: Pick<NeedInput, "nowMs" | "policy" | "signals">,
): { readonly figures: QueueFigures } | { readonly hold: Reason } {
  const { queue, collectors } = input.signals;
  const { waitingMessages, inFlightMessages, oldestAgeSeconds, arrivalPerSecond, drainPerSecond } = queue;
  const read = readSignals(
    input,
    { waitingMessages, inFlightMessages, oldestAgeSeconds, arrivalPerSecond, drainPerSecond },
    { failing: collectors.failing },
  );
  if ("hold" in read) return read;
  const { values } = read;
  return {
    figures: {
      waiting: values.waitingMessages,
      depth: values.waitingMessages + values.inFlightMessages,
      ageSeconds: values.oldestAgeSeconds,
      arrivalPerSecond: values.arrivalPerSecond,
      drainPerSecond: values.drainPerSecond,
      failing: values.failing,
    },
  };
}

/** True if every collector has a message waiting: what they store is then all that they can store. */
export function isSaturated({ current }: Pick<NeedInput, "current">, { waiting }: QueueFigures): boolean {
  return current > 0 && waiting >= current;
}
