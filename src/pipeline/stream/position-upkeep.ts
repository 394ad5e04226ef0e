import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { Logger } from "pino";

/** Removes positions of sources that are gone. */
export interface OldPositions {
  /** @param beforeMs positions before this instant are old, milliseconds since the epoch
   *  @returns how many were removed
   *  @throws an error of the driver */
  remove(beforeMs: number): Promise<number>;
}

export interface PositionUpkeepOptions {
  readonly positions: OldPositions;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Readings that were missed longer ago than this are not counted one by one when a source comes back, so its position is not needed. */
const keepMs = 31 * 24 * 3600 * 1000;
const intervalMs = 24 * 3600 * 1000;
/** Streamers that start together do not all read the positions at once. */
const firstMaxMs = 60_000;
const retryMs = 60_000;

/** Removes the positions of live sources that no streamer has read for 31 days: of targets that were removed from the list while no
 *  streamer ran, or of machines that are gone. */
export class PositionUpkeep extends PeriodicService {
  override readonly isUpkeep = true;

  constructor(private readonly options: PositionUpkeepOptions) {
    super({
      ...options,
      name: "positions",
      failing: {
        prefix: "positions of sources that are gone are kept",
        ended: "positions of sources that are gone are removed again",
      },
      firstMs: Math.random() * firstMaxMs,
      everyMs: intervalMs,
      retryMs,
    });
  }

  protected override async step(): Promise<void> {
    const { positions, clock, log } = this.options;
    const removed = await positions.remove(clock.nowMs() - keepMs);
    if (removed > 0) log.info(`removed the positions of ${removed} live sources that no streamer has read for 31 days`);
  }
}
