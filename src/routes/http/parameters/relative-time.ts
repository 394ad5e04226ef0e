import { type Instant, readInstant } from "../../../domain/timestamp.ts";
import { systemClock } from "../../../kit/clock.ts";

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A time from now: `now`, `-15m`, `now-1h`, `+2d`. In a URL, a `+` that is not encoded arrives as a blank. */
const relative = /^(?=.)(?:now)?(?:([-+ ])(\d{1,9})(ms|s|m|h|d|w))?$/;

/** What `readTime` reads, as a pattern for the document; days that the calendar does not have match as well. */
export const timePattern =
  "^(?:\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(?:\\.\\d+)?(?:[Zz]|[+-]\\d{2}:\\d{2})" +
  "|now|(?:now)?[-+ ]\\d{1,9}(?:ms|s|m|h|d|w))$";

/** The forms of a time that this module reads, in words. */
export const timeForms =
  "RFC 3339 with zone, such as 2025-07-18T20:42:34Z, or a time from now, such as -1h, -7d or now";

/** Reads an instant that a client gives: a date-time of RFC 3339, or a time from now.
 *  @returns the instant, or the reason why the text is not usable */
export function readTime(text: string, nowMs = systemClock.nowMs()): Instant | { readonly problem: string } {
  const match = relative.exec(text);
  if (match === null) return readInstant(text);
  const [, sign = "+", count = "0", unit = "ms"] = match;
  const distanceMs = Number(count) * unitMs[unit as keyof typeof unitMs];
  const at = readInstant(new Date(within(nowMs + (sign === "-" ? -distanceMs : distanceMs))).toISOString());
  return "problem" in at ? at : { ...at, text };
}

/** True if what the text means depends on when it is read. */
export function isRelativeTime(text: string): boolean {
  return relative.test(text);
}

/** The nearest instant whose year has four digits. */
function within(ms: number): number {
  return Math.min(Math.max(ms, 0), Date.UTC(9999, 0, 1));
}
