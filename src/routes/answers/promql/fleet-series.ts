import type { TimeRange } from "../../../domain/time-range.ts";
import type { Labels } from "../../../promql/labels.ts";
import type { Matcher } from "../../../promql/matcher.ts";
import type { Work } from "../../../promql/work.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { RecordSeries } from "./record-series.ts";

/** Calls `visit` with the labels of the series that the newest records of devices are part of, if the devices have reported in a range.
 *  A series that several selectors select, or several devices have, may come again. The labels come from memory: to list them costs the
 *  store nothing, however long the range is. The rest of the process gets its turn now and then.
 *  @param selectors series that any of them selects; none: all series */
export async function eachFleetSeries(
  { fleet, selectors, range, work }: FleetSelection,
  visit: (labels: Labels) => void,
): Promise<void> {
  const makers = (selectors.length === 0 ? [[]] : selectors).map(
    (matchers) => new RecordSeries(matchers, () => undefined),
  );
  for (const { gpu, record } of fleet.members({})) {
    if (record === undefined || gpu.lastSeenAtMs < range.fromMs || gpu.firstSeenAtMs > range.toMs) continue;
    for (const maker of makers) {
      for (const labels of maker.labelsOf(record)) {
        visit(labels);
        await work.didSeries();
      }
    }
  }
}

/** Which series of the fleet. */
interface FleetSelection {
  readonly fleet: Pick<Fleet, "members">;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly range: TimeRange;
  readonly work: Work;
}
