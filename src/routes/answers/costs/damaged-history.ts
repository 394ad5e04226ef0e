import type { Logger } from "pino";
import { Counter, type Registry } from "prom-client";
import { BaseService } from "../../../kit/base-service.ts";
import type { Clock } from "../../../kit/clock.ts";
import { UndecodableBlock } from "../../../domain/errors.ts";

export interface DamagedHistoryOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long it is shown that a question met damaged history. */
const shownMs = 3_600_000;
const checkEveryMs = 60_000;

/** Counts the clients' questions that could not be answered because history is damaged, and shows them in /health until an hour after the
 *  last one. The errors themselves are logged where the questions fail. */
export class DamagedHistory extends BaseService {
  private readonly counter: Counter;
  /** The number of questions that are shown. */
  private met = 0;
  private lastReason = "";
  private lastAtMs = -Infinity;

  constructor(private readonly options: DamagedHistoryOptions) {
    super("history", options.log);
    this.counter = new Counter({
      name: "telemetry_damaged_history_questions_total",
      help: "Questions of clients that this gateway could not answer because the history that they need is damaged",
      registers: [options.registry],
    });
  }

  /** Notes why a question failed; other errors than those of damaged history do not count. */
  note(error: unknown): void {
    if (!(error instanceof UndecodableBlock)) return;
    this.met += 1;
    this.lastReason = error.message;
    this.lastAtMs = this.options.clock.nowMs();
    this.counter.inc();
  }

  override error(): string | undefined {
    if (this.met === 0) return super.error();
    const count = `${this.met} ${this.met === 1 ? "question" : "questions"}`;
    const lists = "bun run db:repair (stop an embedded pipeline first) or select * from damaged_blocks()";
    return `${count} met damaged history, which ${lists} lists; the last one: ${this.lastReason}`;
  }

  protected override async run(): Promise<void> {
    const { clock, log } = this.options;
    while (!this.stopping.aborted) {
      await clock.sleep(checkEveryMs, this.stopping);
      if (this.met === 0 || clock.nowMs() - this.lastAtMs <= shownMs) continue;
      this.met = 0;
      log.info("no question has met damaged history for an hour");
    }
  }
}
