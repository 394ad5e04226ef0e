import type { StoredRecord } from "../../../domain/query.ts";
import type { LiveFeed, LiveFilter } from "../../live/live-feed.ts";

/** Newest records as they come, as somebody asks for them: of those that wait, the newest of each GPU is kept, so that a
 *  slow reader costs no more than a fleet. Ends, and hears nothing any more, by `return`. */
export function liveRecords(feed: LiveFeed, filter: LiveFilter): AsyncIterableIterator<StoredRecord> {
  const waiting = new Map<string, StoredRecord>();
  let wake: (() => void) | undefined;
  let hasEnded = false;
  const unsubscribe = feed.subscribe(filter, ({ record }) => {
    waiting.set(record.gpu.uuid, record);
    wake?.();
  });
  const next = async (): Promise<IteratorResult<StoredRecord, undefined>> => {
    while (waiting.size === 0 && !hasEnded) await new Promise<void>((resolve) => (wake = resolve));
    for (const [uuid, record] of waiting) {
      waiting.delete(uuid);
      return { done: false, value: record };
    }
    return { done: true, value: undefined };
  };
  const end = (): Promise<IteratorResult<StoredRecord, undefined>> => {
    hasEnded = true;
    unsubscribe();
    waiting.clear();
    wake?.();
    return Promise.resolve({ done: true, value: undefined });
  };
  const iterator: AsyncIterableIterator<StoredRecord> = {
    next,
    return: end,
    throw: end,
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
