import { hourMs, type TimeRange } from "../../../domain/time-range.ts";
import { firstMsOf } from "../../../domain/timestamp.ts";
import type { Clock } from "../../../kit/clock.ts";
import { nameOf } from "../../http/parameters/common.ts";
import { instant, optional, type ValuesOf } from "../../http/parameters/parameter.ts";
import { timeBounds, timeRangeOf } from "../../http/parameters/time-bounds.ts";

/** The parameters of requests for the holders of a GPU. */
export const holdersQuery = {
  at: optional(
    instant(
      "RFC 3339 with zone, or a time from now such as -1h; who held it at this instant. It takes precedence over the other two",
    ),
  ),
  ...timeBounds({
    start: "RFC 3339 with zone, or a time from now such as -1h; default a day before the end",
    end: "RFC 3339 with zone, or a time from now such as -1h; default now",
  }),
};

/** The uuid of a GPU. */
export const uuidParameter = nameOf("UUID of the GPU or MIG instance", "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4");

/** The range that a request asks for. @throws InvalidParameter if `start_time` is after `end_time` */
export function holdersRange(values: ValuesOf<typeof holdersQuery>, clock: Clock): TimeRange {
  if (values.at !== undefined) {
    const atMs = firstMsOf(values.at);
    return { fromMs: atMs, toMs: atMs + 1 };
  }
  const given = timeRangeOf(values);
  const toMs = given.toMs === Infinity ? clock.nowMs() + 1 : given.toMs;
  return { fromMs: given.fromMs === -Infinity ? toMs - 24 * hourMs : given.fromMs, toMs };
}
