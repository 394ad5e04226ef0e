import type { Logger } from "pino";
import { Gauge, type Registry } from "prom-client";
import type { FaultQueries } from "../../../faults/fault-store.ts";
import {
  evaluatedText,
  evaluationLateSeconds,
  type LastEvaluation,
  missingEvaluation,
} from "../../../faults/last-evaluation.ts";
import type { Clock } from "../../../kit/clock.ts";
import { PeriodicService } from "../../../kit/periodic-service.ts";

export interface EvaluationWatchOptions {
  readonly queries: Pick<FaultQueries, "lastEvaluation">;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

const everyMs = 10_000;

/** Shows in /health and in the metrics of a gateway when faults were last evaluated. If no process evaluates them, the gateway is degraded
 *  and logs it: the lists of faults are then empty or old, and no other process may be there to say so. */
export class EvaluationWatch extends PeriodicService {
  /** Undefined until it has been read. */
  private last: LastEvaluation | undefined;
  private firstMs: number | undefined;
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
      everyMs,
    });
    this.showAge();
  }

  override activity(): string | undefined {
    return this.last && evaluatedText(this.last);
  }

  protected override async step(): Promise<void> {
    const { queries, clock } = this.options;
    this.firstMs ??= clock.nowMs();
    this.last = await queries.lastEvaluation();
    const reason = missingEvaluation(this.last);
    if (reason === undefined) this.missing.clear();
    // the process that is to evaluate may start at the same time as this one
    else if (clock.nowMs() - this.firstMs >= evaluationLateSeconds * 1000) this.missing.record(reason);
  }

  private showAge(): void {
    const ageSeconds = (): number | undefined => {
      if (this.last === undefined) return undefined;
      const { atMs = -Infinity } = this.last;
      return Math.max(0, this.options.clock.nowMs() - atMs) / 1000;
    };
    void new Gauge({
      name: "telemetry_fault_evaluation_age_seconds",
      help: "How long ago any process last evaluated the rules of faults; +Inf if none ever has; every gateway shows the same",
      labelNames: [],
      registers: [this.options.registry],
      collect() {
        this.remove();
        const seconds = ageSeconds();
        if (seconds !== undefined) this.set(seconds);
      },
    });
  }
}
