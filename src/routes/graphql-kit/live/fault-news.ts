import type { ChangeFilter } from "../../../faults/stored-fault.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { LiveView } from "../../live/live-view.ts";
import type { ApiFaultNews } from "../../schemas/fault.ts";

/** How often the store is asked, and for how many changes at once. */
const lookEveryMs = 1000;
const changesAtOnce = 100;

/** Which changes are read. */
interface Asked {
  /** Undefined: only later changes. */
  readonly since: number | undefined;
  readonly filter: ChangeFilter;
}

/** Iterates over the changes of faults after a sequence, and then over those that follow. A reader that is slow misses none. */
export function faultNews(
  faults: LiveView["faults"],
  { since, filter }: Asked,
  clock: Clock,
): AsyncIterableIterator<ApiFaultNews> {
  const ended = new AbortController();
  const waiting: ApiFaultNews[] = [];
  let known = since;
  const next = async (): Promise<IteratorResult<ApiFaultNews, undefined>> => {
    while (!ended.signal.aborted) {
      const news = waiting.shift();
      if (news !== undefined) return { done: false, value: news };
      const page = await faults.news(known, changesAtOnce, filter);
      known = page.sequence;
      waiting.push(...page.news);
      if (page.news.length === 0) await clock.sleep(lookEveryMs, ended.signal);
    }
    return { done: true, value: undefined };
  };
  const end = (): Promise<IteratorResult<ApiFaultNews, undefined>> => {
    ended.abort();
    return Promise.resolve({ done: true, value: undefined });
  };
  const iterator: AsyncIterableIterator<ApiFaultNews> = {
    next,
    return: end,
    throw: end,
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
