import type { EventEmitter } from "node:events";
import { type Clock, systemClock } from "./clock.ts";

/** `bun run` passes Ctrl-C on to its script, which the terminal has sent it as well: both arrive within a millisecond. A person does not press
 *  Ctrl-C twice within so short a time. */
const copyMs = 300;

/** Listens to SIGINT and SIGTERM until the process ends.
 *  @param signals the process
 *  @param on `first`: called at the first signal; `again`: at each later one, unless it is the first one's copy */
export function onStopSignals(
  signals: Pick<EventEmitter, "on">,
  clock: Pick<Clock, "nowMs">,
  on: { readonly first: (signal: string) => void; readonly again: (signal: string) => void },
): void {
  let firstAtMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    signals.on(signal, () => {
      const nowMs = clock.nowMs();
      if (firstAtMs === undefined) {
        firstAtMs = nowMs;
        on.first(signal);
      } else if (Math.abs(nowMs - firstAtMs) > copyMs) on.again(signal);
    });
  }
}

/** Resolves at the first SIGINT or SIGTERM of this process; a later one ends it immediately. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    onStopSignals(process, systemClock, {
      first: () => resolve(),
      again: (signal) => {
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
      },
    });
  });
}
