import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../domain/errors.ts";
import type { Service } from "../../kit/service.ts";
import type { HistoryRetention, KeepDays } from "../store/history-retention.ts";

export interface HistoryUpkeepOptions {
  readonly retention: HistoryRetention;
  readonly keepDays: KeepDays;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Chunks are a day wide: looking more often would find nothing. */
const everyMs = 3_600_000;
const afterTroubleMs = 60_000;

/** Deletes history that is older than it is to be kept (RETENTION_*_DAYS): at the start, and every hour. Every collector
 *  has one; the database lets one of them work at a time. */
export class HistoryUpkeep implements Service {
  readonly name = "history";
  private readonly halt = new AbortController();
  private running: Promise<void> | undefined;
  private trouble: string | undefined;

  constructor(private readonly options: HistoryUpkeepOptions) {}

  start(): Promise<void> {
    if (!this.halt.signal.aborted) this.running ??= this.run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.halt.abort();
    await this.running;
  }

  error(): string | undefined {
    return this.trouble;
  }

  activity(): string {
    const { keepDays } = this.options;
    const shown = (days: number): string => (days === 0 ? "for ever" : `${days} days`);
    return `records are kept ${shown(keepDays.raw)}, rollups a minute ${shown(keepDays["1m"])}, an hour ${shown(keepDays["1h"])}`;
  }

  private async run(): Promise<void> {
    const { retention, keepDays, clock, log } = this.options;
    while (!this.halt.signal.aborted) {
      try {
        const deleted = await retention.deleteOlder(keepDays);
        if (deleted !== undefined) log.info(`deleted: ${deleted}`);
        this.trouble = undefined;
      } catch (error) {
        this.trouble = `old history cannot be deleted, so the database grows: ${messageOf(error)}`;
        log.warn({ err: error }, this.trouble);
      }
      await clock.sleep(this.trouble === undefined ? everyMs : afterTroubleMs, this.halt.signal);
    }
  }
}
