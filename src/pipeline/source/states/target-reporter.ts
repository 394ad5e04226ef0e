import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { PeriodicService } from "../../../kit/periodic-service.ts";
import { endsWithin } from "../../../kit/within.ts";
import type { TargetState, TargetStates } from "../target-states.ts";

export interface TargetReporterOptions {
  readonly states: TargetStates;
  /** What this process knows about each target and each other live source. */
  readonly read: () => readonly TargetState[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** The API shows states that are this old at most. */
const reportMs = 5000;
/** The time that etcd may take to delete the states. If it takes longer, they disappear when their lease ends. */
const removalMs = 1000;

/** Reports what this process knows about its live sources, for the API and the command line. */
export class TargetReporter extends PeriodicService {
  constructor(private readonly options: TargetReporterOptions) {
    super({
      ...options,
      name: "target reporter",
      failing: {
        prefix: "the states of the targets may be old",
        ended: "the states of the targets are up to date again",
      },
      everyMs: reportMs,
    });
  }

  protected override step(): Promise<void> {
    return this.options.states.report(this.options.read());
  }

  protected override async close(): Promise<void> {
    await endsWithin(this.options.clock, removalMs, () => this.options.states.close());
  }
}
