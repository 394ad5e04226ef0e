import { searchFor } from "../../model/search.ts";
import { usageGroups } from "../../model/usage-figures.ts";
import {
  usageGroupNames,
  usageHours,
  usageQueryOf,
  usageRanges,
  type UsageState,
  usageStateOf,
} from "../../model/usage-state.ts";
import { fleetPath } from "../../pages.ts";
import { nowMs } from "../clock.ts";
import { EmptyFleet, Loading, Refused } from "../fleet/notices.tsx";
import { TimeBar } from "../frame/time-bar.tsx";
import { type ChangeState, useUrlState } from "../frame/use-url-state.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { EndedJobs } from "./ended-jobs.tsx";
import { IdleHolders } from "./idle-holders.tsx";
import { UsageSummary } from "./usage-summary.tsx";
import { UsageTable } from "./usage-table.tsx";
import { useUsage } from "./use-usage.ts";

const urlState = { read: usageStateOf, write: usageQueryOf };

/** Who holds GPUs, how much they use them, and what they waste. */
export function NamespacesPage({ live }: { readonly live: LiveFleet }) {
  useEmitter(live.lists);
  useEmitter(live.statuses);
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  if (live.data.size === 0) return <EmptyFleet neverReported={live.neverReported} />;
  return <Namespaces live={live} />;
}

function Namespaces({ live }: { readonly live: LiveFleet }) {
  const [state, change] = useUrlState(urlState);
  const { usage, ended } = useUsage(live, state);
  return (
    <>
      <Holder state={state} />
      <UsageBar state={state} change={change} />
      {usage.problem !== undefined && live.status.name === "LIVE" && (
        <p class="notice problem" role="alert">
          The usage cannot be read: {usage.problem}. The page tries again by itself; a shorter range is answered sooner.
        </p>
      )}
      {usage.value === undefined ? (
        <p class="notice">Reading the usage …</p>
      ) : (
        <>
          <UsageSummary live={live} state={state} usage={usage.value} />
          <UsageTable state={state} rows={usage.value.rows} change={change} />
        </>
      )}
      <IdleHolders live={live} holder={state.holder} />
      <EndedJobs jobs={ended.value?.rows} problem={ended.problem} />
    </>
  );
}

/** Whose usage is shown, and the way to everyone's. */
function Holder({ state }: { readonly state: UsageState }) {
  const names = usageGroupNames.flatMap((group) =>
    state.holder[group] === undefined ? [] : [`${group} ${state.holder[group]}`],
  );
  if (names.length === 0) return <h2>Who holds GPUs</h2>;
  const { namespace, pod } = state.holder;
  const search = searchFor({
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
  });
  return (
    <>
      <h2>What {names.join(", ")} holds</h2>
      <p>
        <a href={`${location.pathname}${usageQueryOf({ ...state, by: "namespace", holder: {} })}`}>All namespaces</a>
        {search !== undefined && search !== "" && (
          <>
            {" · "}
            <a href={fleetPath(search)}>Its GPUs in the fleet, now</a>
          </>
        )}
      </p>
    </>
  );
}

interface UsageBarOptions {
  readonly state: UsageState;
  readonly change: ChangeState<UsageState>;
}

/** The choice of the time, and of what it is summed up by. */
function UsageBar({ state, change }: UsageBarOptions) {
  const { fromMs, toMs = nowMs() } = usageHours(state.time, nowMs());
  return (
    <div class="toolbar">
      <fieldset class="choices">
        <legend class="for-readers">Summed up by</legend>
        {usageGroupNames.map((group) => (
          <label key={group}>
            <input type="radio" name="by" checked={state.by === group} onChange={() => change({ by: group })} />
            <span>{usageGroups[group]}</span>
          </label>
        ))}
      </fieldset>
      <TimeBar ranges={usageRanges} time={state.time} window={{ fromMs, toMs }} onChoose={(time) => change({ time })} />
    </div>
  );
}
