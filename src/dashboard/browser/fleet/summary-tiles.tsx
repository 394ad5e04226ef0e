import { ageText, metricText, powerText } from "../../model/format.ts";
import { rateText } from "../../model/pipeline-text.ts";
import { busyAbove, summaryOf } from "../../model/fleet-summary.ts";
import { Tile, Tiles } from "../frame/facts.tsx";
import { nowMs } from "../clock.ts";
import { useAnswer } from "../frame/use-answer.ts";
import { countFiringFaults } from "../live/fault-api.ts";
import { dashboardPages } from "../../pages.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

interface TilesOptions {
  readonly live: LiveFleet;
  readonly view: Int32Array;
  readonly onOpen: (position: number) => void;
}

/** The figures of the devices that are shown. */
export function SummaryTiles({ live, view, onOpen }: TilesOptions) {
  useEmitter(live.ticks);
  const { data, neverReported } = live;
  const { hottest, ...summary } = summaryOf(data, view);
  const isPart = view.length < data.size;
  const states = [
    `${summary.reporting} reporting`,
    `${summary.stale} stale`,
    ...(summary.maintenance > 0 ? [`${summary.maintenance} under maintenance`] : []),
    ...(summary.unreported > 0 ? [`${summary.unreported} without a record`] : []),
    ...(neverReported === undefined || neverReported === 0 ? [] : [`${neverReported} declared, never reported`]),
  ];
  return (
    <Tiles label="Summary">
      <Tile id="devices" name="Devices" value={isPart ? `${view.length} of ${data.size}` : String(view.length)}>
        {states.join(", ")}
      </Tile>
      <Tile id="hosts" name="Hosts" value={String(summary.hosts)} />
      <Tile id="busy" name="Busy" value={summary.measured === 0 ? "no data" : String(summary.busy)}>
        of {summary.measured}, above {busyAbove} %
      </Tile>
      <Tile id="power" name="Power" value={powerText(summary.powerWatts)} />
      <Tile
        id="hottest"
        name="Hottest"
        value={hottest === undefined ? "no data" : metricText("temperature", data.value("temperature", hottest))}
      >
        {hottest !== undefined && (
          <button type="button" class="link" onClick={() => onOpen(hottest)}>
            {data.devices[hottest]?.hostname} GPU {data.devices[hottest]?.index}
          </button>
        )}
      </Tile>
      <FaultTile />
      <Tile id="rate" name="Records" value={rateText([live.rate.perSecond(nowMs())])}>
        newest {data.newestAtMs === -Infinity ? "never" : `${ageText(data.newestAtMs, nowMs())} ago`}
      </Tile>
    </Tiles>
  );
}

/** The evaluation of the rules tells faults within seconds. */
const faultsEveryMs = 10_000;

/** The faults that fire in the whole fleet, whatever the search is. */
function FaultTile() {
  const { value: count } = useAnswer(countFiringFaults, faultsEveryMs, []);
  return (
    <Tile id="faults" name="Faults" value={count?.all ?? "no data"}>
      <a href={dashboardPages.faults.path}>
        {count?.critical ?? 0} critical{count?.notice !== undefined && ", not evaluated now"}
      </a>
    </Tile>
  );
}
