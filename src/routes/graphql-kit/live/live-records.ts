import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type { StoredRecord } from "../../../domain/query.ts";
import type { Feed } from "../../live/live-feed.ts";

/** Iterates over the newest records of the selected GPUs as they arrive. For a slow reader, only the newest record of each
 *  GPU waits. `return` and `throw` end the iteration and the subscription to the feed. */
export function liveRecords(feed: Feed, selector: GpuSelector): AsyncIterableIterator<StoredRecord> {
  const waiting = new Map<string, StoredRecord>();
  let wake: (() => void) | undefined;
  let hasEnded = false;
  const unsubscribe = feed.subscribe(selector, ({ record }) => {
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
