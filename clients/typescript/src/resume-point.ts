import type { TelemetryUpdateMessage } from "./generated/messages.ts";

/** A GPU is silent if its newest record is older than the fleet's newest record by more than this. A silent GPU does not hold
 *  back the resume point, so its missed records are delivered only if they are not older than the resume point. */
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

  endReplay(): void {
    this.isReplaying = false;
  }

  /** Remembers the instant of an update.
   *  @returns true if the update has to be delivered; false if it is a replayed record that is older than the GPU's newest
   *    delivered record. A record of the same instant is delivered again, because it may have more metrics than before. */
  record({ gpu_uuid, timestamp, replay }: TelemetryUpdateMessage): boolean {
    const timeMs = Date.parse(timestamp);
    const newestMs = this.newestMs.get(gpu_uuid) ?? -Infinity;
    if (replay === true && timeMs < newestMs) return false;
    this.newestMs.set(gpu_uuid, Math.max(newestMs, timeMs));
    return true;
  }

  /** The oldest of the active GPUs' newest instants. GPUs report at different times, so the GPU that is furthest behind
   *  determines the resume point. Undefined if no record has been delivered. */
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
