import type { Logger } from "pino";
import type { OpenHours } from "../../domain/archive.ts";
import { dayMs, hourMs } from "../../domain/time-range.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { HistoryRetention, KeepDays } from "../store/history-retention.ts";

export interface HistoryUpkeepOptions {
  readonly retention: HistoryRetention;
  readonly keepDays: KeepDays;
  /** Finds the hours that are not archived; absent: records are not archived. */
  readonly unarchived?: () => Promise<Pick<OpenHours, "nowMs" | "first">>;
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
  /** The first hour that is old enough to be deleted, and is not archived. */
  private keptFrom: number | undefined;

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
    const from = this.keptFrom;
    const kept = from === undefined ? "" : `; those from ${formatTimestamp(from)} on are kept until they are archived`;
    return `records are kept ${formatDays(keepDays.raw)}${kept}, rollups by the hour ${formatDays(keepDays["1h"])}, usage ${formatDays(keepDays.usage)}`;
  }

  protected override async step(): Promise<void> {
    const { retention, unarchived, log } = this.options;
    const deleted = await retention.deleteOlder(await this.daysToKeep(), unarchived === undefined ? "deleted" : "kept");
    if (deleted !== undefined) log.info(`deleted: ${deleted}`);
  }

  /** Records that are not archived are kept for longer. */
  private async daysToKeep(): Promise<KeepDays> {
    const { keepDays, unarchived } = this.options;
    if (unarchived === undefined || keepDays.raw === 0) return keepDays;
    const { nowMs, first = Infinity } = await unarchived();
    const isOld = first < nowMs - keepDays.raw * dayMs + hourMs;
    this.keptFrom = isOld ? first : undefined;
    // a day more, for the time that passes meanwhile
    return isOld ? { ...keepDays, raw: Math.ceil((nowMs - first) / dayMs) + 1 } : keepDays;
  }
}
