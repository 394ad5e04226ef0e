import { useMemo } from "preact/hooks";
import { ageText, powerText } from "../../model/format.ts";
import { idleBelow, type IdleHolder, idleNow } from "../../model/idle-now.ts";
import { searchFor } from "../../model/search.ts";
import type { HolderFilter } from "../../model/usage-state.ts";
import { fleetPath, gpuPath } from "../../pages.ts";
import { nowMs } from "../clock.ts";
import { type Column, DataTable } from "../frame/data-table.tsx";
import { useAnswer } from "../frame/use-answer.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { readIdleSince } from "../live/usage-api.ts";

interface IdleHoldersOptions {
  readonly live: LiveFleet;
  readonly holder: HolderFilter;
}

/** A list that follows each record cannot be read. */
const everyTicks = 5;
/** The rule finds idle devices after 15 minutes. */
const sinceEveryMs = 30_000;
const mostHolders = 100;
const mostLinks = 8;
const unknownSince: ReadonlyMap<string, number> = new Map();

/** Who holds idle GPUs at this time. */
export function IdleHolders({ live, holder }: IdleHoldersOptions) {
  const ticks = useEmitter(live.ticks);
  const { value: sinceMs = unknownSince } = useAnswer(readIdleSince, sinceEveryMs, []);
  const { namespace, pod, job, user } = holder;
  const turn = Math.floor(ticks / everyTicks);
  const found = useMemo(
    () => idleNow(live.data, { namespace, pod }, sinceMs),
    [live, live.data.devices, namespace, pod, sinceMs, turn],
  );
  // live records do not name jobs and users
  if (job !== undefined || user !== undefined) return null;
  return (
    <DataTable
      id="idle"
      title="Wasted now"
      rows={found.holders.slice(0, mostHolders)}
      problem={undefined}
      columns={columnsOf(live)}
      keyOf={(each) => `${each.namespace}/${each.pod}`}
      empty="No workload holds an idle GPU."
    >
      <p>
        {found.idle} of {found.held} held GPUs are used less than {idleBelow} %
        {found.unmeasured > 0 && `; ${found.unmeasured} do not report how much they are used`}
        {found.holders.length > mostHolders && `; the ${mostHolders} holders with the most of them are shown`}.
      </p>
    </DataTable>
  );
}

const columnsOf = (live: LiveFleet): readonly Column<IdleHolder>[] => [
  ["Holder", ({ namespace, pod }) => [namespace, pod].filter((name) => name !== "").join("/")],
  ["Idle GPUs", ({ idle }) => idle.length],
  ["Held", ({ held }) => held],
  ["Power", ({ powerWatts }) => powerText(powerWatts)],
  ["Idle for", ({ sinceMs }) => (sinceMs === undefined ? "" : ageText(sinceMs, nowMs()))],
  ["Which", (holder) => <Devices live={live} holder={holder} />],
];

/** The first ones of the idle devices, and the way to all that the workload holds. */
function Devices({
  live,
  holder: { namespace, pod, idle },
}: {
  readonly live: LiveFleet;
  readonly holder: IdleHolder;
}) {
  const search = searchFor({ ...(namespace === "" ? {} : { namespace }), ...(pod === "" ? {} : { pod }) });
  return (
    <span class="links">
      {idle.slice(0, mostLinks).map((position) => {
        const { uuid = "", hostname = "", index = "" } = live.data.devices[position] ?? {};
        return (
          <a key={uuid} href={gpuPath(uuid)}>
            {hostname} GPU {index}
          </a>
        );
      })}
      {idle.length > mostLinks && search !== undefined && <a href={fleetPath(search)}>all that it holds</a>}
    </span>
  );
}
