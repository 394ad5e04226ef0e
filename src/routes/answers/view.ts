import type { CallerQueries } from "../../pipeline/store/bounded-queries.ts";
import type { FleetView } from "../fleet/fleet-index.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { FaultList } from "./faults/fault-list.ts";
import type { FleetAnswers } from "./fleet-answers.ts";
import type { HistoryAnswers } from "./history-answers.ts";
import type { InventoryList } from "./inventory-list.ts";

/** What a caller may see of the gateway's data. Routes and fields reach the data only through the view of their request's caller. */
export interface View {
  /** The selector of its callers, as text; empty for those without one. */
  readonly key: string;
  readonly fleet: Fleet;
  /** The same fleet, indexed. */
  readonly index: FleetView;
  readonly answers: FleetAnswers;
  readonly queries: CallerQueries;
  readonly history: HistoryAnswers;
  readonly inventoryList: InventoryList;
  readonly faults: FaultList;
  /** Resolves when the view can be used. Never rejects. */
  ready(): Promise<void>;
}
