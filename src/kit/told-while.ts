import type { Clock } from "./clock.ts";

const everyMs = 15_000;

/** Says every 15 s that work goes on, until it has ended.
 *  @param what the beginning of the sentence, such as `the store is being opened` */
export async function toldWhile<T>(
  { clock, what, tell }: { readonly clock: Clock; readonly what: string; readonly tell: (text: string) => void },
  work: () => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  void (async () => {
    for (let passedMs = everyMs; ; passedMs += everyMs) {
      await clock.sleep(everyMs, ended.signal);
      if (ended.signal.aborted) return;
      tell(`${what}, for ${passedMs / 1000} s so far`);
    }
  })();
  try {
    return await work();
  } finally {
    ended.abort();
  }
}
