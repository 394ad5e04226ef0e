import type { TimeRange } from "../../../domain/time-range.ts";
import type { Labels } from "../../../promql/labels.ts";
import type { Matcher } from "../../../promql/matcher.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { RecordSeries } from "./record-series.ts";

/** The labels of the series that the newest records of devices are part of, if the devices have reported in a range. They come from memory:
 *  to list them costs the store nothing, however long the range is.
 *  @param selectors series that any of them selects; none: all series */
export function fleetSeries(
  fleet: Pick<Fleet, "members">,
  selectors: readonly (readonly Matcher[])[],
  { fromMs, toMs }: TimeRange,
): readonly Labels[] {
  const makers = (selectors.length === 0 ? [[]] : selectors).map((matchers) => new RecordSeries(matchers));
  for (const { gpu, record } of fleet.members({})) {
    if (record === undefined || gpu.lastSeenAtMs < fromMs || gpu.firstSeenAtMs > toMs) continue;
    for (const maker of makers) maker.add(record);
  }
  const byText = new Map<string, Labels>();
  for (const { labels } of makers.flatMap((maker) => maker.series())) byText.set(JSON.stringify([...labels]), labels);
  return [...byText.values()];
}
