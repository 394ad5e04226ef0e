import type { Logger } from "pino";
import { BaseService } from "../../../kit/base-service.ts";
import type { Clock } from "../../../kit/clock.ts";

/** How long a refusal is shown. */
const shownMs = 60_000;
const checkEveryMs = 5000;

/** Shows in /health, for a minute, that the database could not answer the clients' questions in time. */
export class QueryPressure extends BaseService {
  private refusedAtMs = -Infinity;
  private readonly refusals = this.repeatedError({
    prefix: "questions to the database are refused",
    ended: "questions to the database are no longer refused",
  });

  constructor(private readonly options: { readonly clock: Clock; readonly log: Logger }) {
    super("queries", options.log);
  }

  /** Notes that a question was refused although its client had not used up its share.
   *  @param text what keeps the database busy */
  note(text: string): void {
    this.refusedAtMs = this.options.clock.nowMs();
    this.refusals.record(text);
  }

  protected override async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.stopping.aborted) {
      await clock.sleep(checkEveryMs, this.stopping);
      if (clock.nowMs() - this.refusedAtMs > shownMs) this.refusals.clear();
    }
  }
}
