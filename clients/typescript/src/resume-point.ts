import type { TelemetryUpdateMessage } from "./generated/messages.ts";

/** A GPU whose newest record is older than the fleet's newest one by more than this is silent, and does not hold back the
 *  resume point. Its next record is delivered when it arrives, unless it arrives during a break. */
const silentAfterMs = 60_000;

/** The instant from which records have to be requested after a break, so that none is missed. */
export class ResumePoint {
  /** Instant of the newest record that was delivered, by GPU. */
  private readonly newestMs = new Map<string, number>();
  private isReplaying = false;

  /** @param since the instant from which the caller wants records */
  constructor(private since: string | undefined) {}

  /** The `since` of the next connection; undefined if it begins with the last known values. */
  begin(): string | undefined {
    // an interrupted replay may have delivered all records of some GPUs and none of others: it starts over
    if (!this.isReplaying) this.since = this.oldestOfActive() ?? this.since;
    this.isReplaying = this.since !== undefined;
    return this.since;
  }

  /** The replay is complete. */
  endReplay(): void {
    this.isReplaying = false;
  }

  /** Records that an update arrived.
   *  @returns true if it has to be delivered: it is new, or may have more metrics than before */
  record({ gpu_uuid, timestamp, replay }: TelemetryUpdateMessage): boolean {
    const timeMs = Date.parse(timestamp);
    const newestMs = this.newestMs.get(gpu_uuid) ?? -Infinity;
    if (replay === true && timeMs < newestMs) return false;
    this.newestMs.set(gpu_uuid, Math.max(newestMs, timeMs));
    return true;
  }

  /** The oldest of the active GPUs' newest instants: GPUs report at different times, so the resume point has to suit the
   *  one that is furthest behind. */
  private oldestOfActive(): string | undefined {
    let newestMs = -Infinity;
    for (const timeMs of this.newestMs.values()) newestMs = Math.max(newestMs, timeMs);
    let oldestMs = Infinity;
    for (const timeMs of this.newestMs.values()) {
      if (timeMs >= newestMs - silentAfterMs) oldestMs = Math.min(oldestMs, timeMs);
    }
    return oldestMs === Infinity ? undefined : new Date(oldestMs).toISOString();
  }
}
