import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Feed } from "./live-feed.ts";

/** What the client of a socket may see. */
export interface LiveView {
  /** The selector of the client's key, as text; empty without one. */
  readonly key: string;
  readonly fleet: Fleet;
  readonly feed: Feed;
  readonly queries: { readonly history: Pick<HistoryQueries, "records"> };
  /** Resolves when the view can be used. Never rejects. */
  ready(): Promise<void>;
}
