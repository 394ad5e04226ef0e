import { LRUCache } from "lru-cache";
import type { Caller } from "../../../access/caller.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";

/** Selectors whose views are kept. A view that is dropped is made again when it is next asked for. */
const maxViews = 200;

/** What callers see of the gateway's data: those with a selector a view within it, all others the same one. */
export class CallerViews<View extends object> {
  private readonly bounded = new LRUCache<string, View>({ max: maxViews });

  /** @param whole for callers without a selector
   *  @param within makes the view for a selector */
  constructor(
    private readonly whole: View,
    private readonly within: (bounds: GpuBounds) => View,
  ) {}

  of({ grant: { selector } }: Caller): View {
    if (selector === undefined) return this.whole;
    const key = JSON.stringify(selector);
    let view = this.bounded.get(key);
    if (view === undefined) this.bounded.set(key, (view = this.within(selector)));
    return view;
  }
}
