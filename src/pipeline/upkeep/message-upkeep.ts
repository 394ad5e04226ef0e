import { Counter, type Registry } from "prom-client";
import type { Logger } from "pino";
import type { Clock } from "../../kit/clock.ts";
import { PeriodicService } from "../../kit/periodic-service.ts";
import type { MessageFolding } from "../store/message-folding.ts";

export interface MessageUpkeepOptions {
  readonly folding: MessageFolding;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Logger;
}

const intervalMs = 600_000;
const retryMs = 60_000;
/** Between two transactions, for statements that wait for the database. */
const pauseMs = 200;

/** Folds the record of stored messages, at the start and every ten minutes, and a minute after an error. Several collectors may run this
 *  service; the database lets one of them fold at a time. */
export class MessageUpkeep extends PeriodicService {
  override readonly isUpkeep = true;
  private readonly folded: Counter;

  constructor(private readonly options: MessageUpkeepOptions) {
    super({
      ...options,
      name: "messages",
      failing: {
        prefix: "the record of stored messages cannot be folded, so the database grows",
        ended: "the record of stored messages is folded again",
      },
      everyMs: intervalMs,
      retryMs,
    });
    this.folded = new Counter({
      name: "telemetry_messages_folded_total",
      help: "Stored messages whose rows became part of the sums of their sources, a day after they were published",
      registers: [options.registry],
    });
  }

  protected override async step(): Promise<void> {
    const { folding, clock } = this.options;
    while (!this.stopping.aborted) {
      const { messages } = await folding.fold();
      this.folded.inc(messages);
      if (messages === 0) return;
      await clock.sleep(pauseMs, this.stopping);
    }
  }
}
