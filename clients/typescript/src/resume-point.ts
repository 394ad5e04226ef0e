import type { TelemetryUpdateMessage } from "./generated/messages.ts";

/** A GPU that is further behind the newest record than this has fallen silent, and holds nothing up: what it brings later
 *  is told when it comes, unless it comes during a break. */
const silentAfterMs = 60_000;

/** From where on records have to be asked for, so that a break loses none. */
export class ResumePoint {
  /** The newest instant of each GPU that was told. */
  private readonly toldMs = new Map<string, number>();
  private isReplaying = false;

  /** @param since where the caller wants it to begin */
  constructor(private since: string | undefined) {}

  /** Where a new connection begins; undefined where the last known values do. */
  begin(): string | undefined {
    // a replay that broke off has told some GPUs everything and others nothing: it begins again where it began
    if (!this.isReplaying) this.since = this.oldestOfActive() ?? this.since;
    this.isReplaying = this.since !== undefined;
    return this.since;
  }

  /** The history that was asked for has been told. */
  endReplay(): void {
    this.isReplaying = false;
  }

  /** @returns whether the record is new to the caller, or may hold more than before */
  take({ gpu_uuid, timestamp, replay }: TelemetryUpdateMessage): boolean {
    const timeMs = Date.parse(timestamp);
    const toldMs = this.toldMs.get(gpu_uuid) ?? -Infinity;
    if (replay === true && timeMs < toldMs) return false;
    this.toldMs.set(gpu_uuid, Math.max(toldMs, timeMs));
    return true;
  }

  /** GPUs report at their own times: what one of them has told says nothing of the others. */
  private oldestOfActive(): string | undefined {
    let newestMs = -Infinity;
    for (const timeMs of this.toldMs.values()) newestMs = Math.max(newestMs, timeMs);
    let oldestMs = Infinity;
    for (const timeMs of this.toldMs.values()) {
      if (timeMs >= newestMs - silentAfterMs) oldestMs = Math.min(oldestMs, timeMs);
    }
    return oldestMs === Infinity ? undefined : new Date(oldestMs).toISOString();
  }
}
