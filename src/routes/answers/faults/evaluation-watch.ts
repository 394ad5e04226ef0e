import type { Logger } from "pino";
import type { FaultQueries } from "../../../faults/fault-store.ts";
import { evaluationLateSeconds, missingEvaluation } from "../../../faults/last-evaluation.ts";
import type { Clock } from "../../../kit/clock.ts";
import { PeriodicService } from "../../../kit/periodic-service.ts";

export interface EvaluationWatchOptions {
  readonly queries: Pick<FaultQueries, "lastEvaluation">;
  readonly clock: Clock;
  readonly log: Logger;
}

const everyMs = 10_000;

/** Shows in /health of a gateway, and logs, that no process evaluates faults: the lists of faults are then empty or old, and no other
 *  process may be there to say so. */
export class EvaluationWatch extends PeriodicService {
  private readonly missing = this.repeatedError({
    prefix: "faults may be missing",
    ended: "faults are evaluated again",
  });

  constructor(private readonly options: EvaluationWatchOptions) {
    super({
      ...options,
      name: "evaluation",
      failing: {
        prefix: "it is not known whether faults are evaluated",
        ended: "it is known again whether faults are evaluated",
      },
      // the process that is to evaluate may start at the same time
      firstMs: evaluationLateSeconds * 1000,
      everyMs,
    });
  }

  protected override async step(): Promise<void> {
    const reason = missingEvaluation(await this.options.queries.lastEvaluation());
    if (reason === undefined) this.missing.clear();
    else this.missing.record(reason);
  }
}
