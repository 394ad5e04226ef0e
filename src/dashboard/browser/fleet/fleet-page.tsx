import { useMemo, useState } from "preact/hooks";
import { viewOf } from "../../model/device-view.ts";
import { readSearch } from "../../model/search.ts";
import { queryOf, sortedBy, viewStateOf } from "../../model/view-state.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { DeviceTable } from "./device-table.tsx";
import { HeatMap } from "./heat-map.tsx";
import { EmptyFleet, Loading, Refused } from "./notices.tsx";
import { SummaryTiles } from "./summary-tiles.tsx";
import { Toolbar } from "./toolbar.tsx";
import { Tour } from "./tour.tsx";
import { useUrlState } from "../frame/use-url-state.ts";

const urlState = { read: viewStateOf, write: queryOf };

/** The whole fleet: figures, a heat map, and a table of the devices. */
export function FleetPage({ live }: { readonly live: LiveFleet }) {
  const lists = useEmitter(live.lists);
  useEmitter(live.statuses);
  if (live.status.name === "REFUSED") return <Refused status={live.status} />;
  if (!live.isLoaded) return <Loading status={live.status} />;
  if (live.data.size === 0) return <EmptyFleet neverReported={live.neverReported} />;
  return <Fleet live={live} lists={lists} />;
}

/** @param lists changes when the list of devices does */
function Fleet({ live, lists }: { readonly live: LiveFleet; readonly lists: number }) {
  const [state, change] = useUrlState(urlState);
  const [selectedUuid, select] = useState<string | undefined>(undefined);
  const [opened, setOpened] = useState<{ readonly position: number } | undefined>(undefined);
  const read = useMemo(() => readSearch(state.search), [state.search]);
  const view = useMemo(() => viewOf(live.data, "search" in read ? read.search : () => true), [live, lists, read]);
  const selected = selectedUuid === undefined ? undefined : live.data.positionOf(selectedUuid);
  const onSelect = (position: number): void => select(live.data.devices[position]?.uuid);
  const onOpen = (position: number): void => {
    onSelect(position);
    setOpened({ position });
  };
  return (
    <>
      <Tour />
      <SummaryTiles live={live} view={view.positions} onOpen={onOpen} />
      <Toolbar state={state} change={change} problem={"problem" in read ? read.problem : undefined} />
      {view.positions.length === 0 ? (
        <p class="notice" role="status">
          No device matches this search.{" "}
          <button type="button" class="link" onClick={() => change({ search: "" })}>
            Show all devices
          </button>
        </p>
      ) : (
        <>
          <HeatMap {...{ live, view, selected, onSelect, onOpen }} metric={state.metric} />
          <DeviceTable
            {...{ live, view, selected, onSelect, opened }}
            sort={state.sort}
            onSort={(key) => change({ sort: sortedBy(key, state.sort) })}
          />
        </>
      )}
    </>
  );
}
