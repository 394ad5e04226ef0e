import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
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
export class PositionUpkeep extends BaseService {
  private readonly failing = this.repeatedError({
    prefix: "positions of sources that are gone are kept",
    ended: "positions of sources that are gone are removed again",
  });

  constructor(private readonly options: PositionUpkeepOptions) {
    super("positions", options.log);
  }

  protected override async run(): Promise<void> {
    const { clock } = this.options;
    await clock.sleep(Math.random() * firstMaxMs, this.stopping);
    while (!this.stopping.aborted) await clock.sleep((await this.hasRemoved()) ? intervalMs : retryMs, this.stopping);
  }

  protected override close(): Promise<void> {
    return Promise.resolve();
  }

  private async hasRemoved(): Promise<boolean> {
    const { positions, clock, log } = this.options;
    try {
      const removed = await positions.remove(clock.nowMs() - keepMs);
      if (removed > 0)
        log.info(`removed the positions of ${removed} live sources that no streamer has read for 31 days`);
      this.failing.clear();
      return true;
    } catch (error) {
      this.failing.record(error);
      return false;
    }
  }
}
