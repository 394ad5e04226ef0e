import { isDeepStrictEqual } from "node:util";
import type { GpuBounds } from "../../domain/gpu-bounds.ts";
import { type GpuSelector, selectorWithin } from "../../domain/gpu-selector.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { recordWithin } from "../../domain/within-bounds.ts";
import type { Feed, LiveListener, LiveUpdate } from "./live-feed.ts";

/** The updates within bounds, as if there were no others: what changes only for other workloads is no update. */
export class BoundedFeed implements Feed {
  private last: { readonly update: LiveUpdate; readonly own: LiveUpdate | undefined } | undefined;

  constructor(
    private readonly feed: Feed,
    private readonly within: GpuBounds,
  ) {}

  subscribe(selector: GpuSelector, listener: LiveListener): () => void {
    return this.feed.subscribe(selectorWithin(selector, this.within), (update) => {
      const own = this.ownOf(update);
      if (own !== undefined) listener(own);
    });
  }

  /** Made once for all subscribers. */
  private ownOf(update: LiveUpdate): LiveUpdate | undefined {
    if (this.last?.update !== update) this.last = { update, own: this.narrowed(update) };
    return this.last.own;
  }

  private narrowed({ gpu, record, previous }: LiveUpdate): LiveUpdate | undefined {
    const own = recordWithin(this.within, record);
    if (own === undefined) return undefined;
    const before = previous && recordWithin(this.within, previous);
    return before !== undefined && isSameShown(before, own) ? undefined : { gpu, record: own, previous: before };
  }
}

function isSameShown(a: StoredRecord, b: StoredRecord): boolean {
  const shown = ({ timeMs, metrics, custom, occupants }: StoredRecord) => [timeMs, metrics, custom, occupants];
  return a.timeMs === b.timeMs && isDeepStrictEqual(shown(a), shown(b));
}
