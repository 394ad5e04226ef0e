import type { Clock } from "../../kit/clock.ts";
import type { Schedule } from "./schedule.ts";
import type { LiveBatch } from "./source.ts";

/** Due readings for which there was no attempt. */
export interface SkippedReadings {
  /** The scheduled time of the last of them. */
  readonly timeMs: number;
  readonly count: number;
  /** `no streamer`: they were due before this process began to read; `memory full`: the batches before them waited to be published;
   *  `held up`: this process was frozen, or had too much to do. */
  readonly cause: "no streamer" | "memory full" | "held up";
  /** How long the batch before them waited to be published, if that is the cause; otherwise, the time that they cover. */
  readonly spanMs: number;
}

/** What a source with a schedule does at its scheduled times. */
export interface ScheduledSource {
  readonly schedule: Schedule;
  readonly clock: Clock;
  /** See LiveSource. */
  readonly takenUntilMs: number | undefined;
  /** Reads what is due. @param timeMs of the batch @returns undefined to end, when the signal aborted and it is not known what became of the reading */
  readonly read: (timeMs: number, signal: AbortSignal) => Promise<LiveBatch | undefined>;
  readonly skipped: (skipped: SkippedReadings) => LiveBatch;
  /** The machine's clock was set back: nothing is due until it reaches the time of the last reading. */
  readonly waitsUntil: (dueMs: number) => void;
}

/** A reading may begin this late, and still has its scheduled time: a busy process is late, and so is a new owner of the source. */
const latestStartMs = 1000;

/** Reads a source at its scheduled times until the signal aborts. Each scheduled time after the first one belongs to exactly one
 *  batch: that of its reading, or one for all readings that were skipped together.
 *  @param afterMs the time of the last batch that any process has published; -Infinity if there is none */
export async function* readOnSchedule(
  afterMs: number,
  signal: AbortSignal,
  { schedule, clock, read, skipped, waitsUntil, takenUntilMs }: ScheduledSource,
): AsyncGenerator<LiveBatch, void, undefined> {
  const { intervalMs } = schedule;
  // the time of the last reading that is told, and how long its batch waited to be published
  let [lastMs, waitedMs, isFirst] = [afterMs, 0, true];
  while (!signal.aborted) {
    const dueMs = schedule.nextAfter(Math.max(lastMs, clock.nowMs() - latestStartMs));
    const count = lastMs === -Infinity ? 0 : schedule.countBetween(lastMs, dueMs);
    if (count > 0) {
      lastMs = dueMs - intervalMs;
      const batch = skipped({
        timeMs: freeTime(lastMs, takenUntilMs),
        count,
        ...causeOf(isFirst, waitedMs, count * intervalMs),
      });
      const yieldedMs = clock.nowMs();
      yield batch;
      waitedMs = clock.nowMs() - yieldedMs;
    }
    isFirst = false;
    if (dueMs - clock.nowMs() > 2 * intervalMs) waitsUntil(dueMs);
    const sleepsMs = dueMs - clock.nowMs();
    await clock.sleep(Math.max(0, sleepsMs), signal);
    if (signal.aborted) return;
    if (clock.nowMs() - dueMs > latestStartMs) {
      // what a source says now is not what it would have said then: the next turn skips the reading
      if (sleepsMs > 0) waitedMs = 0;
      if (lastMs === -Infinity) lastMs = dueMs - intervalMs;
      continue;
    }
    const batch = await read(freeTime(dueMs, takenUntilMs), signal);
    if (batch === undefined) return;
    lastMs = dueMs;
    const yieldedMs = clock.nowMs();
    yield batch;
    waitedMs = clock.nowMs() - yieldedMs;
  }
}

/** The time of a batch: the time at which it is due, or the millisecond after it if a batch of another clock may have that time. */
export function freeTime(dueMs: number, takenUntilMs = -Infinity): number {
  return dueMs <= takenUntilMs ? dueMs + 1 : dueMs;
}

/** Why due readings were skipped.
 *  @param isFirst true if they were due before this process began to read
 *  @param waitedMs how long the batch before them waited to be published
 *  @param spanMs the time that they cover */
export function causeOf(isFirst: boolean, waitedMs: number, spanMs: number): Pick<SkippedReadings, "cause" | "spanMs"> {
  if (isFirst) return { cause: "no streamer", spanMs };
  return waitedMs >= spanMs / 2 ? { cause: "memory full", spanMs: waitedMs } : { cause: "held up", spanMs };
}
