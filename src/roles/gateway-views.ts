import type { GpuBounds } from "../domain/gpu-bounds.ts";
import type { Clock } from "../kit/clock.ts";
import type { FaultQueries } from "../faults/fault-store.ts";
import { boundedInventory, boundedQueries, type CallerQueries } from "../pipeline/store/bounded-queries.ts";
import type { Inventory } from "../pipeline/store/inventory.ts";
import type { FleetQueries, TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { FaultList } from "../routes/answers/faults/fault-list.ts";
import { FleetAnswers } from "../routes/answers/fleet-answers.ts";
import { HistoryAnswers } from "../routes/answers/history-answers.ts";
import { InventoryList } from "../routes/answers/inventory-list.ts";
import type { View } from "../routes/answers/view.ts";
import { BoundedFleet } from "../routes/fleet/bounded-fleet.ts";
import { FleetView } from "../routes/fleet/fleet-index.ts";
import type { Fleet, LiveFleet } from "../routes/fleet/fleet.ts";
import { CallerViews } from "../routes/http/access/caller-views.ts";
import { BoundedFeed } from "../routes/live/bounded-feed.ts";
import { type Feed, LiveFeed } from "../routes/live/live-feed.ts";

/** A view of all that the gateway's routes, fields and sockets show. */
export type GatewayView = View & { readonly feed: Feed };

/** Makes the queries of callers who see a fleet, which is a part of the whole one if it is bounded. */
export type QueriesOf = (fleet: Fleet, isBounded: boolean) => TelemetryQueries;

interface Sources {
  readonly fleet: LiveFleet;
  readonly queriesOf: QueriesOf;
  readonly firstSeen: FleetQueries["firstSeen"];
  readonly inventory: Inventory;
  readonly faults: FaultQueries;
  readonly clock: Clock;
}

/** What each caller may see: the only way from a request to the fleet, its history and its updates. */
export function gatewayViews(sources: Sources): CallerViews<GatewayView> {
  const { fleet, inventory } = sources;
  const queries = sources.queriesOf(fleet, false);
  const feed = new LiveFeed(fleet);
  const ready = (): Promise<void> => Promise.resolve();
  const whole = viewOf(sources, { key: "", fleet, feed, queries, inventory, within: undefined, ready });
  fleet.onMembers((members) => whole.answers.prepare(members));
  return new CallerViews(whole, (within) => boundedView(sources, feed, within));
}

function boundedView(sources: Sources, feed: Feed, within: GpuBounds): GatewayView {
  const { clock, inventory, firstSeen } = sources;
  const fleet = new BoundedFleet({ fleet: sources.fleet, within, firstSeen, clock });
  return viewOf(sources, {
    key: JSON.stringify(within),
    fleet,
    feed: new BoundedFeed(feed, within),
    queries: boundedQueries(sources.queriesOf(fleet, true), within),
    inventory: boundedInventory(inventory, within),
    within,
    ready: () => fleet.ready(),
  });
}

interface Parts extends Pick<GatewayView, "key" | "feed" | "ready"> {
  readonly fleet: Fleet;
  readonly queries: CallerQueries;
  readonly inventory: Pick<Inventory, "items">;
  readonly within: GpuBounds | undefined;
}

function viewOf({ clock, faults }: Sources, parts: Parts): GatewayView {
  const { key, fleet, feed, queries, inventory, within, ready } = parts;
  return {
    ...{ key, fleet, feed, queries, ready },
    index: new FleetView(fleet),
    answers: new FleetAnswers(fleet, key !== ""),
    history: new HistoryAnswers(queries.history, clock),
    inventoryList: new InventoryList(inventory),
    faults: new FaultList(faults, clock, within),
  };
}
