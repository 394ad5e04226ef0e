import type { Logger } from "pino";
import { TermEnded } from "../../domain/errors.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { RepeatedError } from "../../kit/repeated-error.ts";
import type { Clock } from "../../kit/clock.ts";
import { retry } from "../../kit/retry.ts";
import type { HotTier } from "../../pipeline/hot/hot-tier.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { LeaderElection, Term } from "../../scaling/election/leader-election.ts";
import type { FaultEvaluator } from "../evaluator/evaluator.ts";
import type { FaultLedger } from "../fault-store.ts";
import type { Rule } from "../rules/rule.ts";
import type { RulesInForce } from "../rules/rules-in-force.ts";
import { Notifier, type NotifierOptions } from "../notify/notifier.ts";
import type { Webhook } from "../notify/webhook.ts";
import type { Evaluation } from "./evaluation.ts";
import type { FaultInstruments } from "./fault-instruments.ts";
import { RecordFeed } from "./record-feed.ts";
import { type TakenOver, takeOver } from "./take-over.ts";

export interface FaultEvaluationOptions {
  readonly election: LeaderElection;
  readonly ledger: FaultLedger;
  readonly notifying: Pick<NotifierOptions, "outbox" | "queries">;
  /** The receivers of notices. */
  readonly webhooks: readonly Webhook[];
  readonly queries: Pick<TelemetryQueries, "fleet" | "history">;
  readonly hotTier: Pick<HotTier, "follow">;
  readonly rules: Pick<RulesInForce, "read" | "catalogue" | "unused">;
  /** The days for which ended faults are kept; 0: for ever. */
  readonly keepDays: number;
  readonly instanceId: string;
  /** Called when the service has stopped. */
  readonly onClosed: () => Promise<void>;
  readonly instruments: FaultInstruments;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause between two steps. */
const stepMs = 1000;
/** The pause before the next campaign. */
const retryMs = 5000;
const deleteEveryMs = 600_000;
const deletionsAtATime = 10;

/** Evaluates the rules of faults while it leads.
 *
 *  CAMPAIGNING -elected-> LEADING: begins a term in the store, reads what the evaluator remembered, reads the records that were stored since,
 *  and then follows the hot tier
 *  LEADING -the term ends, a write is refused, or the rules have changed-> CAMPAIGNING, without what the evaluator remembers */
export class FaultEvaluation extends BaseService {
  private evaluator: FaultEvaluator | undefined;
  private rules: readonly Rule[] = [];
  private deletedMs = -Infinity;
  private readonly storeError = this.repeatedError({
    prefix: "faults are not evaluated until the store answers",
    ended: "faults are evaluated again",
  });
  private readonly leadError = this.repeatedError({
    prefix: "faults are not evaluated",
    ended: "faults are evaluated again",
  });
  private readonly hotError = this.repeatedError({
    prefix: "faults are evaluated late: newest records do not arrive",
    ended: "newest records arrive again for the evaluation of faults",
  });
  private readonly recordError = this.repeatedError({
    prefix: "the rules of faults failed on a record",
    ended: "the rules of faults work again",
  });

  private readonly webhookErrors: readonly RepeatedError[];
  private readonly refusals: readonly RepeatedError[];

  constructor(private readonly options: FaultEvaluationOptions) {
    super("faults", options.log);
    this.webhookErrors = options.webhooks.map(({ host }) =>
      this.repeatedError({
        prefix: `the webhook at ${host} is not notified of faults`,
        ended: `the webhook at ${host} is notified of faults again`,
      }),
    );
    this.refusals = options.webhooks.map(({ host }) =>
      this.repeatedError({
        prefix: `the webhook at ${host} refuses notices of faults, which are not sent again`,
        ended: `the webhook at ${host} accepts notices of faults again`,
      }),
    );
  }

  override error(): string | undefined {
    const errors = [super.error(), this.options.rules.unused].filter((error) => error !== undefined);
    return errors.join("; ") || undefined;
  }

  override activity(): string {
    if (this.evaluator === undefined) return "stands by: another process evaluates faults";
    const firing = this.evaluator.active().filter(({ state }) => state !== "pending").length;
    return `evaluates faults: ${firing === 1 ? "1 fires" : `${firing} fire`}`;
  }

  protected override async run(): Promise<void> {
    const { election, clock } = this.options;
    while (!this.stopping.aborted) {
      try {
        const term = await election.campaign(this.stopping, () => this.leadError.clear());
        if (term === undefined) return;
        await this.lead(term);
      } catch (error) {
        if (!this.stopping.aborted) this.leadError.record(error);
      }
      await clock.sleep(retryMs, this.stopping);
    }
  }

  protected override close(): Promise<void> {
    return this.options.onClosed();
  }

  private async lead(term: Term): Promise<void> {
    const { hotTier, instruments, clock, log } = this.options;
    const left = new AbortController();
    const ended = AbortSignal.any([this.stopping, term.ended, left.signal]);
    const feed = new RecordFeed(clock);
    const unfollow = hotTier.follow(feed);
    let notified = Promise.resolve();
    try {
      const { evaluation, term: number } = await this.takeOver(ended, feed);
      log.info("this process evaluates faults");
      log.debug({ term: term.revision }, "its term");
      notified = this.notify(number, ended);
      await this.evaluate(ended, evaluation, feed);
    } catch (error) {
      if (!(error instanceof TermEnded)) throw error;
      log.warn(error.message);
    } finally {
      left.abort();
      instruments.standsBy();
      this.evaluator = undefined;
      for (const error of [this.storeError, this.hotError, ...this.webhookErrors, ...this.refusals]) error.clear();
      await Promise.all([notified, unfollow(), term.resign()]);
    }
  }

  /** Notifies each receiver on its own: one that does not answer holds up neither the others nor the evaluation. */
  private async notify(term: number, ended: AbortSignal): Promise<void> {
    const { webhooks, notifying, instruments, clock } = this.options;
    const notifiers = webhooks.map(async (webhook, index) => {
      const onError = (error: unknown): void => {
        if (error === undefined) this.webhookErrors[index]?.clear();
        else this.webhookErrors[index]?.record(error);
      };
      const onRefused = (status: number | undefined): void => {
        if (status === undefined) this.refusals[index]?.clear();
        else
          this.refusals[index]?.record(
            `status ${status}; its URL in FAULT_WEBHOOK_URL and what it expects should be checked`,
          );
      };
      const notifier = new Notifier({ ...notifying, webhook, term, instruments, clock, onError, onRefused });
      while (!ended.aborted) {
        try {
          await notifier.run(ended);
        } catch (error) {
          // the evaluation is refused, too
          if (error instanceof TermEnded || ended.aborted) return;
          onError(error);
          await clock.sleep(retryMs, ended);
        }
      }
    });
    await Promise.all(notifiers);
  }

  private async takeOver(ended: AbortSignal, feed: RecordFeed): Promise<TakenOver> {
    const { rules, instruments, clock, queries } = this.options;
    this.rules = await rules.read();
    const takenOver = await takeOver({
      ...this.options,
      ...{ rules: this.rules, catalogue: rules.catalogue, fleet: queries.fleet, history: queries.history, feed },
      ask: (call) => this.ask(ended, call),
      onSkipped: (error) => this.recordError.record(error),
      onFailed: (error) => this.recordError.record(error),
    });
    const { evaluator } = takenOver;
    this.evaluator = evaluator;
    const lagMs = (): number => clock.nowMs() - (feed.waitingSinceMs ?? clock.nowMs());
    instruments.leads({ active: () => evaluator.active(), lagMs });
    return takenOver;
  }

  private async evaluate(ended: AbortSignal, evaluation: Evaluation, feed: RecordFeed): Promise<void> {
    const { clock } = this.options;
    // other rules need another evaluator, which the next term makes
    while (!ended.aborted && (await this.options.rules.read()) === this.rules) {
      await evaluation.step();
      this.leadError.clear();
      if (feed.interrupted === undefined) this.hotError.clear();
      else this.hotError.record(feed.interrupted);
      await this.deleteOld();
      await clock.sleep(stepMs, ended);
    }
  }

  /** Deletes what is too old. If that fails, it is tried again later. */
  private async deleteOld(): Promise<void> {
    const { ledger, keepDays, clock, log } = this.options;
    if (clock.nowMs() - this.deletedMs < deleteEveryMs) return;
    this.deletedMs = clock.nowMs();
    this.recordError.clear();
    try {
      for (let count = 0; count < deletionsAtATime && (await ledger.deleteOld(keepDays)); count += 1);
    } catch (error) {
      log.warn({ err: error }, "old faults are not deleted; the next attempt is in ten minutes");
    }
  }

  /** Repeats a call until the store answers, or the term ends. */
  private async ask<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const { clock } = this.options;
    const answer = await retry(call, { clock, signal, onRetry: (error) => this.storeError.record(error) });
    this.storeError.clear();
    return answer;
  }
}
