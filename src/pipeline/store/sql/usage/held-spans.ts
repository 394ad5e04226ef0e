import type { TimeRange } from "../../../../domain/time-range.ts";
import type { HeldSpan } from "../../../../domain/usage/usage.ts";
import { isHeld } from "./usage-sums.ts";
import type { DeviceShare } from "./usage-time.ts";

/** Adds who held a device in an hour to the spans of the hours before; what goes on is one span. */
export function heldSpans(spans: HeldSpan[], shares: readonly DeviceShare[], range: TimeRange): void {
  const inOrder = shares.map(({ segment }) => segment).toSorted((a, b) => a.fromMs - b.fromMs);
  for (const { fromMs, toMs, holder } of inOrder) {
    const part = { fromMs: Math.max(fromMs, range.fromMs), toMs: Math.min(toMs, range.toMs) };
    if (part.fromMs >= part.toMs) continue;
    const { occupants = [], job = "", user = "" } = holder ?? {};
    const state = holder === undefined ? "unknown" : isHeld(holder) ? "held" : "free";
    const span: HeldSpan = { ...part, state, holders: occupants, job, user: state === "held" ? user : "" };
    const last = spans.at(-1);
    if (last?.toMs === span.fromMs && isSame(last, span)) spans[spans.length - 1] = { ...last, toMs: span.toMs };
    else spans.push(span);
  }
}

function isSame(a: HeldSpan, b: HeldSpan): boolean {
  const textOf = ({ state, holders, job, user }: HeldSpan): string =>
    JSON.stringify([state, job, user, holders.map(({ namespace, pod, container }) => [namespace, pod, container])]);
  return textOf(a) === textOf(b);
}
