import { hourMs, hourOf, type TimeRange } from "../../../domain/time-range.ts";
import { firstMsOf } from "../../../domain/timestamp.ts";
import { InvalidParameter } from "../api-error.ts";
import { instant, optional, type ValuesOf } from "./parameter.ts";
import type { Text } from "./spelling.ts";

/** The parameters that bound a range of time. */
export function timeBounds({ start, end }: { readonly start: Text; readonly end: Text }) {
  return { start_time: optional(instant(start)), end_time: optional(instant(end)) };
}

type TimeBounds = Partial<ValuesOf<ReturnType<typeof timeBounds>>>;

/** The range between two bounds, including both bounds. If a bound is absent, the range has no limit on that side. Records
 *  have whole milliseconds, so a bound between two milliseconds is rounded inwards.
 *  @throws InvalidParameter if `start_time` is in a later millisecond than `end_time` */
export function timeRangeOf({ start_time: start, end_time: end }: TimeBounds): TimeRange {
  if (start !== undefined && end !== undefined && start.ms > end.ms) {
    throw new InvalidParameter({
      parameter: "start_time",
      value: start.text,
      problem: ({ name }) => `it is after ${name("end_time")}=${JSON.stringify(end.text)}`,
      expected: ({ name }) => `a ${name("start_time")} at or before ${name("end_time")}`,
    });
  }
  return {
    fromMs: start === undefined ? -Infinity : firstMsOf(start),
    toMs: end === undefined ? Infinity : end.ms + 1,
  };
}

/** The parameters that bound a range of whole hours.
 *  @param window the time before the end at which the range begins by default: "a day" */
export function hourBounds(window: string) {
  return timeBounds({
    start: `RFC 3339 with zone, or a time from now such as -1h; from the hour that has it. Default ${window} before the end`,
    end: "RFC 3339 with zone, or a time from now such as -1h; up to the hour that has it, or up to the beginning of an hour, which is then left out. Default now",
  });
}

/** The whole hours (UTC) between two bounds. A bound within an hour adds all of it. An end at the beginning of an hour leaves that hour
 *  out, so that days from midnight to midnight add up; but the hour of the start is always in the range.
 *  @param windowMs the time from the start to the end if there is no start
 *  @throws as `timeRangeOf` */
export function hoursBetween(
  bounds: TimeBounds,
  { nowMs, windowMs }: { readonly nowMs: number; readonly windowMs: number },
): TimeRange {
  const given = timeRangeOf(bounds);
  const endMs = bounds.end_time === undefined ? nowMs : firstMsOf(bounds.end_time);
  const fromMs = hourOf(given.fromMs === -Infinity ? endMs - windowMs : given.fromMs);
  return { fromMs, toMs: Math.max(Math.ceil(endMs / hourMs) * hourMs, fromMs + hourMs) };
}
