import type { Logger } from "pino";
import { BaseService } from "./base-service.ts";
import type { Clock } from "./clock.ts";
import type { RepeatedErrorOptions } from "./repeated-error.ts";

export interface PeriodicServiceOptions {
  readonly name: string;
  /** The texts for a step that fails again and again. */
  readonly failing: Omit<RepeatedErrorOptions, "log">;
  /** Wait before the first step; by default, none. */
  readonly firstMs?: number;
  /** Wait after a step. */
  readonly everyMs: number;
  /** Wait after a step that has failed; by default, `everyMs`. */
  readonly retryMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes one step after the other, with waits between them, until it is stopped. A step that fails is logged once, and is tried again. */
export abstract class PeriodicService extends BaseService {
  private readonly failing;

  protected constructor(private readonly period: PeriodicServiceOptions) {
    super(period.name, period.log);
    this.failing = this.repeatedError(period.failing);
  }

  /** Does what is due. @throws an error that `error()` then reports until a step succeeds */
  protected abstract step(): Promise<void>;

  protected override async run(): Promise<void> {
    const { clock, firstMs = 0, everyMs, retryMs = everyMs } = this.period;
    if (firstMs > 0) await clock.sleep(firstMs, this.stopping);
    while (!this.stopping.aborted) await clock.sleep((await this.succeeds()) ? everyMs : retryMs, this.stopping);
  }

  private async succeeds(): Promise<boolean> {
    try {
      await this.step();
      this.failing.clear();
      return true;
    } catch (error) {
      if (!this.stopping.aborted) this.failing.record(error);
      return false;
    }
  }
}
