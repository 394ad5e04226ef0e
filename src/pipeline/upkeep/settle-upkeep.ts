import type { Logger } from "pino";
import { type Clock, stopwatch } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import { StoreUnavailable } from "../../domain/errors.ts";
import { hourMs } from "../../domain/time-range.ts";
import {
  type DueHours,
  type HistorySettling,
  settleAge,
  type SettleFigures,
  waitingOf,
} from "../store/history-settling.ts";

export interface SettleUpkeepOptions {
  readonly settling: HistorySettling;
  /** SETTLE_HISTORY. False: nothing is settled, and what waits is only told. */
  readonly isOn: boolean;
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
/** To look for days that are due, all devices are read: half a second for 10,000. */
const daysIntervalMs = 10 * 60_000;
/** For a fraction of a minute, as in tests, hours are looked for more often. */
const intervalMinMs = 1000;

/** Settles history that is over, the oldest hour first: a service of every process that stores records. The database lets one settle
 *  at a time; another one takes over when it dies. What is settled follows from what is left in rows, so nothing is remembered. If it is
 *  switched off, it tells what waits. */
export class SettleUpkeep extends PeriodicService {
  override readonly isUpkeep = true;
  private figures: SettleFigures = {
    ...{ settledRecords: 0, settledSeconds: 0, busyHours: 0 },
    waiting: undefined,
  };
  /** The time since no day was due. */
  private sinceNoDayMs: () => number = () => Infinity;
  /** Earlier lags, the oldest first; the first is at least an hour old if it can be. */
  private lags: { readonly atMs: number; readonly lagMs: number }[] = [];

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
    const { isOn, afterMinutes } = this.options;
    const rule = isOn
      ? `records become blocks ${afterMinutes} minutes after their hour`
      : "switched off (SETTLE_HISTORY=false): records stay rows";
    const { waiting } = this.figures;
    if (waiting === undefined || waiting.dueHours === 0) return rule;
    const { dueHours, lagSeconds } = waiting;
    const minutes = Math.round(lagSeconds / 60);
    return dueHours === 1
      ? `${rule}; 1 hour is due, since ${minutes} minutes`
      : `${rule}; ${dueHours} hours are due, the first of them since ${minutes} minutes`;
  }

  protected override async step(): Promise<void> {
    if (this.options.isOn) {
      while (!this.stopping.aborted && (await this.round()) > 0);
      await this.rollUpDays();
    } else {
      await this.findDue();
      await this.options.settling.forget([]);
    }
  }

  /** Adds up past days for at most a minute. */
  private async rollUpDays(): Promise<void> {
    const { settling, pauses, clock } = this.options;
    const elapsedMs = stopwatch();
    while (!this.stopping.aborted && elapsedMs() < roundMs) {
      if (this.sinceNoDayMs() < daysIntervalMs) return;
      const dayElapsedMs = stopwatch();
      if (!(await settling.rollUpDay())) this.sinceNoDayMs = stopwatch();
      if (pauses) await clock.sleep(dayElapsedMs(), this.stopping);
    }
  }

  /** Settles for a minute. @returns how many hours were settled */
  private async round(): Promise<number> {
    const settled: number[] = [];
    const rested: number[] = [];
    let failure: Error | undefined;
    const elapsedMs = stopwatch();
    const { hours, resting } = await this.findDue();
    for (const hour of [...hours, ...resting]) {
      try {
        const before = this.figures.settledRecords;
        const outcome = await this.settleHour(hour);
        if (outcome === "settled") (this.figures.settledRecords === before ? rested : settled).push(hour);
        if (outcome === "others settle" || this.stopping.aborted || elapsedMs() > roundMs) break;
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error;
        // records that cannot be settled remain in rows, and do not keep later hours from being settled
        failure ??= error as Error;
      }
    }
    await this.options.settling.forget(settled);
    const newlyRested = rested.filter((hour) => !resting.includes(hour));
    await this.options.settling.rest(newlyRested);
    if (settled.length + newlyRested.length > 0) await this.findDue();
    if (failure !== undefined) throw failure;
    return settled.length;
  }

  private async findDue(): Promise<DueHours> {
    const due = await this.options.settling.due(settleAge(this.options.afterMinutes));
    const { nowMs } = due;
    const waiting = waitingOf(due);
    this.figures = { ...this.figures, waiting };
    // the clock may have gone back
    this.lags = [...this.lags.filter(({ atMs }) => atMs <= nowMs), { atMs: nowMs, lagMs: waiting.lagSeconds * 1000 }];
    while ((this.lags[1]?.atMs ?? Infinity) <= nowMs - hourMs) this.lags.shift();
    return due;
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
    if (!this.options.isOn) return undefined;
    const [first, last] = [this.lags[0], this.lags.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < hourMs) return undefined;
    if (last.lagMs < hourMs || last.lagMs < first.lagMs) return undefined;
    return `history is not settled as fast as it arrives: the longest that an hour has been due is ${Math.round(last.lagMs / 60_000)} minutes, an hour ago it was ${Math.round(first.lagMs / 60_000)}`;
  }
}
