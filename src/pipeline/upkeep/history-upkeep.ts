import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { HistoryRetention, KeepDays } from "../store/history-retention.ts";

export interface HistoryUpkeepOptions {
  readonly retention: HistoryRetention;
  readonly keepDays: KeepDays;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Short compared with the day that a chunk of the database spans. */
const intervalMs = 3_600_000;
const retryMs = 60_000;

/** Deletes history older than RETENTION_*_DAYS, and what has become empty, at the start and every hour, and a minute after an error. Several collectors
 *  may run this service; the database lets one of them delete at a time. */
export class HistoryUpkeep extends PeriodicService {
  override readonly isUpkeep = true;

  constructor(private readonly options: HistoryUpkeepOptions) {
    super({
      ...options,
      name: "retention",
      failing: {
        prefix: "old history cannot be deleted, so the database grows",
        ended: "old history is deleted again",
      },
      everyMs: intervalMs,
      retryMs,
    });
  }

  override activity(): string {
    const { keepDays } = this.options;
    const formatDays = (days: number): string => (days === 0 ? "forever" : days === 1 ? "1 day" : `${days} days`);
    return `records are kept ${formatDays(keepDays.raw)}, rollups by the hour ${formatDays(keepDays["1h"])}, usage ${formatDays(keepDays.usage)}`;
  }

  protected override async step(): Promise<void> {
    const { retention, keepDays, log } = this.options;
    const deleted = await retention.deleteOlder(keepDays);
    if (deleted !== undefined) log.info(`deleted: ${deleted}`);
  }
}
