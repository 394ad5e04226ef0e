import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import type { OpenStore } from "./open-pglite-store.ts";

interface LateStoreOptions {
  readonly open: () => Promise<OpenStore>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause before a store that did not answer is tried again. */
const tryAgainMs = 2000;

/** Opens a store for a process that has something to do without it: where the store does not answer it is tried again
 *  and again, and every call says so meanwhile.
 *  @throws what `open` throws first, but StoreUnavailable */
export async function openLateStore({ open, clock, log }: LateStoreOptions): Promise<OpenStore> {
  let opened: OpenStore | undefined;
  let trouble = "";
  const halt = new AbortController();
  const tryOnce = async (): Promise<void> => {
    try {
      opened = await open();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      trouble = error.message;
    }
  };
  await tryOnce();
  if (opened !== undefined) return opened;
  log.warn({ trouble }, "the store does not answer; it is tried again while the rest runs");
  const trying = (async () => {
    while (opened === undefined && !halt.signal.aborted) {
      await clock.sleep(tryAgainMs, halt.signal);
      // by now nothing ends the process: a schema that is behind may be brought up to date by another
      await tryOnce().catch((error: unknown) => (trouble = messageOf(error)));
    }
  })();
  const whenOpen = (): OpenStore => {
    if (opened === undefined) throw new StoreUnavailable(`the store has not answered since the start: ${trouble}`);
    return opened;
  };
  return {
    description: "not reached yet",
    engine: () => opened?.engine(),
    store: passingOn(() => whenOpen().store),
    queries: passingOn(() => whenOpen().queries),
    retention: passingOn(() => whenOpen().retention),
    close: async () => {
      halt.abort();
      await trying;
      await opened?.close();
    },
  };
}

/** An object whose every method is that of another, looked up at each call. All of them answer by a promise. */
function passingOn<T extends object>(target: () => T): T {
  const call = (name: PropertyKey, args: unknown[]): unknown => {
    const to = target();
    return Reflect.apply(Reflect.get(to, name) as (...given: unknown[]) => unknown, to, args);
  };
  return new Proxy({} as T, {
    get: (_, name) =>
      // who awaits the object itself must not take it for a promise
      name === "then" ? undefined : (...args: unknown[]) => Promise.resolve().then(() => call(name, args)),
  });
}
