import { formatTimestamp } from "../../../domain/timestamp.ts";

/** The clocks of the machines agree within this time, or one of them is wrong. */
const clocksAgreeMs = 5000;

/** Where a new owner of a live source continues. */
export interface KnownPosition {
  /** The time of the last batch that any process has published, or of the claim if that time is not yet to come for a long while. */
  readonly afterMs: number;
  /** Up to this time, a process whose clock was ahead has published batches; -Infinity if none has. */
  readonly takenUntilMs: number;
}

/** What one process's clock wrote must not hold back another: a position that is later than this machine's clock is not waited for.
 *  @param latestMs the time of the last batch that was published; undefined if none was */
export function knownPosition(latestMs: number | undefined, nowMs: number): KnownPosition {
  if (latestMs === undefined) return { afterMs: -Infinity, takenUntilMs: -Infinity };
  if (latestMs - nowMs <= clocksAgreeMs) return { afterMs: latestMs, takenUntilMs: -Infinity };
  return { afterMs: nowMs, takenUntilMs: latestMs };
}

/** Says that the records of the last owner are later than this machine's clock; undefined if they are not. */
export function aheadText({ takenUntilMs }: KnownPosition): string | undefined {
  if (takenUntilMs === -Infinity) return undefined;
  return (
    `records of it have times up to ${formatTimestamp(takenUntilMs)}, which is later than this machine's clock: the clock of the ` +
    "streamer that read it was ahead, or this one is behind. Reading goes on; set the clocks"
  );
}
