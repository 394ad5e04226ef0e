import type { TimeRange } from "../../../domain/time-range.ts";
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
