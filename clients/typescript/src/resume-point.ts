import type { TelemetryUpdateMessage } from "./generated/messages.ts";

/** A GPU is silent if its newest record is older than the fleet's newest one by more than this. A silent GPU does not
 *  hold back the resume point; its records of a break are delivered only if they are newer than the resume point. */
const silentAfterMs = 60_000;

/** The instant from which to request records after a break, so that no record of an active GPU is missed. */
export class ResumePoint {
  /** Instant of the newest delivered record, by GPU. */
  private readonly newestMs = new Map<string, number>();
  private isReplaying = false;

  /** @param since the instant from which the caller wants records */
  constructor(private since: string | undefined) {}

  /** The `since` of the next connection; undefined if that connection begins with the newest records. */
  begin(): string | undefined {
    // an interrupted replay starts over: it may have delivered all records of some GPUs and no records of others
    if (!this.isReplaying) this.since = this.oldestOfActive() ?? this.since;
    this.isReplaying = this.since !== undefined;
    return this.since;
  }

  /** The replay is complete. */
  endReplay(): void {
    this.isReplaying = false;
  }

  /** Remembers the instant of an update.
   *  @returns false if the update is a replayed record that is older than the GPU's newest delivered one; true if it has to be
   *    delivered. A record of the same instant may have more metrics than before */
  record({ gpu_uuid, timestamp, replay }: TelemetryUpdateMessage): boolean {
    const timeMs = Date.parse(timestamp);
    const newestMs = this.newestMs.get(gpu_uuid) ?? -Infinity;
    if (replay === true && timeMs < newestMs) return false;
    this.newestMs.set(gpu_uuid, Math.max(newestMs, timeMs));
    return true;
  }

  /** The oldest of the active GPUs' newest instants. GPUs report at different times, so the GPU that is furthest behind
   *  determines the resume point. */
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
