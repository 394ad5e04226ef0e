import type { ChangeFilter } from "../../faults/stored-fault.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { ApiFaultNews } from "../schemas/fault.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Feed } from "./live-feed.ts";

/** What the client of a socket may see. */
export interface LiveView {
  /** The selector of the client's key, as text; empty without one. */
  readonly key: string;
  readonly fleet: Fleet;
  readonly feed: Feed;
  readonly queries: { readonly history: Pick<HistoryQueries, "records"> };
  readonly faults: {
    /** The changes of faults after a sequence, oldest first, and where to continue.
     *  @param after undefined: no changes, but where to begin */
    news(
      after: number | undefined,
      limit: number,
      filter?: ChangeFilter,
    ): Promise<{ readonly news: readonly ApiFaultNews[]; readonly sequence: number }>;
  };
  /** Resolves when the view can be used. Never rejects. */
  ready(): Promise<void>;
}
