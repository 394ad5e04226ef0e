import { useMemo, useState } from "preact/hooks";
import { missedText, shareText } from "../../model/coverage-text.ts";
import { viewOf } from "../../model/device-view.ts";
import { busyAbove, summaryOf } from "../../model/fleet-summary.ts";
import { ageText, powerText } from "../../model/format.ts";
import { rangeMs, windowOf } from "../../model/time-choice.ts";
import { type Sort, sortedBy } from "../../model/view-state.ts";
import { nowMs } from "../clock.ts";
import { DeviceTable } from "../fleet/device-table.tsx";
import { Loading, Refused } from "../fleet/notices.tsx";
import { Tile, Tiles } from "../frame/facts.tsx";
import { StateTile } from "../frame/state-tile.tsx";
import { useAnswer } from "../frame/use-answer.ts";
import { readCoverage, readHostHistory } from "../live/device-api.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { SmallChart } from "./small-chart.tsx";

/** The small charts and the coverage are of this range. */
const range = "1h";
const everyMs = 30_000;

/** A host: its figures, its GPUs, and what they did in the last hour. */
export function HostPage({ live }: { readonly live: LiveFleet }) {
  const lists = useEmitter(live.lists);
  useEmitter(live.statuses);
  const hostname = new URLSearchParams(location.search).get("hostname") ?? "";
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  if (live.data.size === 0) {
    return (
      <div class="notice problem" role="alert">
        <h2>There is no host {hostname}</h2>
        <p>
          No GPU of it has reported here, or you cannot see it. <a href="/">The fleet</a> has all that you can see.
        </p>
      </div>
    );
  }
  return <Host live={live} hostname={hostname} lists={lists} />;
}

interface HostOptions {
  readonly live: LiveFleet;
  readonly hostname: string;
  /** Changes when the list of devices does. */
  readonly lists: number;
}

function Host({ live, hostname, lists }: HostOptions) {
  const [sort, setSort] = useState<Sort>({ key: "index", isDescending: false });
  const [selected, select] = useState<number | undefined>(undefined);
  const view = useMemo(() => viewOf(live.data, () => true), [live, lists]);
  return (
    <>
      <h2>{hostname}</h2>
      <HostFacts live={live} hostname={hostname} view={view.positions} />
      <SmallCharts live={live} hostname={hostname} view={view.positions} />
      <DeviceTable
        {...{ live, view, sort, selected, onSelect: select, opened: undefined }}
        onSort={(key) => setSort(sortedBy(key, sort))}
      />
    </>
  );
}

function HostFacts({ live, hostname, view }: Pick<HostOptions, "live" | "hostname"> & { readonly view: Int32Array }) {
  useEmitter(live.ticks);
  const summary = summaryOf(live.data, view);
  const coverage = useAnswer(() => readCoverage({ hostname }, windowOf(range, nowMs())), everyMs, [hostname]);
  const newestMs = live.data.timesMs.reduce((newest, atMs) => Math.max(newest, atMs), -Infinity);
  const isStale = summary.reporting === 0 && summary.stale > 0;
  const age = newestMs === -Infinity ? "never" : `${ageText(newestMs, nowMs())} ago`;
  return (
    <Tiles label="Summary">
      <StateTile filter={{ hostname }} isStale={isStale} newest={age} />
      <Tile id="devices" name="Devices" value={String(summary.devices)}>
        {summary.reporting} reporting, {summary.stale} stale
        {summary.maintenance > 0 && `, ${summary.maintenance} under maintenance`}
      </Tile>
      <Tile id="busy" name="Busy" value={summary.measured === 0 ? "no data" : String(summary.busy)}>
        of {summary.measured}, above {busyAbove} %
      </Tile>
      <Tile id="power" name="Power" value={powerText(summary.powerWatts)} />
      <Tile id="coverage" name="Coverage" value={shareText(coverage.value)}>
        {missedText(coverage.value)}, since the last full hour began
      </Tile>
    </Tiles>
  );
}

function SmallCharts({ live, hostname, view }: Pick<HostOptions, "live" | "hostname"> & { readonly view: Int32Array }) {
  const read = async () => {
    const window = windowOf(range, nowMs());
    return { window, records: await readHostHistory(hostname, window) };
  };
  const history = useAnswer(read, everyMs, [hostname]);
  if (history.value === undefined) return <p class="notice">Reading the last hour …</p>;
  const { window, records } = history.value;
  return (
    <section class="small-charts" aria-label={`Utilization in the last ${rangeMs[range] / 60_000} minutes`}>
      {Array.from(view, (position) => {
        const device = live.data.devices[position];
        if (device === undefined) return null;
        return (
          <SmallChart key={device.uuid} device={device} records={records.get(device.uuid) ?? []} window={window} />
        );
      })}
    </section>
  );
}
