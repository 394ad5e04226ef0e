import type { Logger } from "pino";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import { StoreUnavailable } from "../../domain/errors.ts";
import { hourMs } from "../../domain/time-range.ts";
import { type HistorySettling, settleAge, type SettleFigures, settleLagMs } from "../store/history-settling.ts";

export interface SettleUpkeepOptions {
  readonly settling: HistorySettling;
  /** How long an hour must be over before it is settled, SETTLE_AFTER_MINUTES. */
  readonly afterMinutes: number;
  /** True: each transaction is followed by a pause of the same length, because the questions of clients wait for it. */
  readonly pauses: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An hour is due once in an hour. */
const intervalMaxMs = 60_000;
/** The figures are that old at most. */
const roundMs = 60_000;
/** For a fraction of a minute, as in tests, hours are looked for more often. */
const intervalMinMs = 1000;

/** Settles history that is over, the oldest hour first: a service of every process that stores records. The database lets one settle
 *  at a time; another one takes over when it dies. What is settled follows from what is left in rows, so nothing is remembered. */
export class SettleUpkeep extends PeriodicService {
  private figures: SettleFigures = {
    ...{ settledRecords: 0, settledSeconds: 0, busyHours: 0 },
    ...{ dueHours: undefined, lagSeconds: undefined },
  };
  /** Earlier lags, the oldest first; the first is at least an hour old if it can be. */
  private lags: { readonly atMs: number; readonly lagMs: number }[] = [];

  /** Hours of which all remaining records stay rows: they are so late that the blocks of their hour are deleted already. */
  private readonly resting = new Set<number>();

  constructor(private readonly options: SettleUpkeepOptions) {
    const everyMs = Math.min(intervalMaxMs, Math.max(intervalMinMs, options.afterMinutes * 4000));
    super({
      ...options,
      name: "settling",
      failing: {
        prefix: "history cannot be settled, so it takes the space of rows",
        ended: "history is settled again",
      },
      everyMs,
    });
  }

  /** For the instruments. */
  get current(): SettleFigures {
    return this.figures;
  }

  override error(): string | undefined {
    return super.error() ?? this.fallsBehind();
  }

  override activity(): string {
    const { dueHours, lagSeconds } = this.figures;
    const rule = `records become blocks ${this.options.afterMinutes} minutes after their hour`;
    if (dueHours === undefined || lagSeconds === undefined || dueHours === 0) return rule;
    return `${rule}; ${dueHours === 1 ? "1 hour is" : `${dueHours} hours are`} due, the oldest since ${Math.round(lagSeconds / 60)} minutes`;
  }

  protected override async step(): Promise<void> {
    while (!this.stopping.aborted && (await this.round()) > 0);
  }

  /** Settles for a minute. @returns how many hours were settled */
  private async round(): Promise<number> {
    const settled: number[] = [];
    let failure: Error | undefined;
    const elapsedMs = stopwatch();
    for (const hour of await this.findDue()) {
      try {
        const before = this.figures.settledRecords;
        const outcome = await this.settleHour(hour);
        if (outcome === "settled" && this.figures.settledRecords === before) this.resting.add(hour);
        else if (outcome === "settled") settled.push(hour);
        if (outcome === "others settle" || this.stopping.aborted || elapsedMs() > roundMs) break;
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error;
        // records that cannot be settled remain in rows, and do not keep later hours from being settled
        failure ??= error as Error;
      }
    }
    await this.options.settling.forget(settled);
    if (settled.length > 0) await this.findDue();
    if (failure !== undefined) throw failure;
    return settled.length;
  }

  private async findDue(): Promise<readonly number[]> {
    const age = settleAge(this.options.afterMinutes);
    const { nowMs, hours } = await this.options.settling.due(age);
    const waiting = hours.filter((hour) => !this.resting.has(hour));
    for (const hour of this.resting) if (!hours.includes(hour)) this.resting.delete(hour);
    const lagMs = settleLagMs(nowMs, { ...age, oldestHour: waiting[0] });
    this.figures = { ...this.figures, dueHours: waiting.length, lagSeconds: lagMs / 1000 };
    // the clock may have gone back
    this.lags = [...this.lags.filter(({ atMs }) => atMs <= nowMs), { atMs: nowMs, lagMs }];
    while ((this.lags[1]?.atMs ?? Infinity) <= nowMs - hourMs) this.lags.shift();
    return hours;
  }

  private async settleHour(hour: number): Promise<"settled" | "hour is busy" | "others settle" | "stopped"> {
    const { settling, pauses, clock } = this.options;
    for (let afterKey: number | undefined = 0; afterKey !== undefined;) {
      if (this.stopping.aborted) return "stopped";
      const elapsedMs = stopwatch();
      const step = await settling.settleSome(hour, afterKey);
      const { settledRecords, settledSeconds, busyHours } = this.figures;
      if (step.outcome !== "settled") {
        if (step.outcome === "hour is busy") this.figures = { ...this.figures, busyHours: busyHours + 1 };
        return step.outcome;
      }
      const tookMs = elapsedMs();
      this.figures = {
        ...this.figures,
        settledRecords: settledRecords + step.records,
        settledSeconds: settledSeconds + tookMs / 1000,
      };
      afterKey = step.lastKey;
      if (pauses) await clock.sleep(tookMs, this.stopping);
    }
    return "settled";
  }

  /** The lag has grown for an hour. */
  private fallsBehind(): string | undefined {
    const [first, last] = [this.lags[0], this.lags.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < hourMs) return undefined;
    if (last.lagMs < hourMs || last.lagMs < first.lagMs) return undefined;
    return `history is not settled as fast as it arrives: the oldest hour has been due for ${Math.round(last.lagMs / 60_000)} minutes, an hour ago it was ${Math.round(first.lagMs / 60_000)}`;
  }
}
