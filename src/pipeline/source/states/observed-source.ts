import type { Dialect } from "../../../domain/dialects/spelling.ts";
import { isOwnFault, type OnMissed } from "../../../domain/reading.ts";
import type { Clock } from "../../../kit/clock.ts";
import type { LiveBatch, LiveSource } from "../source.ts";
import type { TargetState } from "../target-states.ts";
import { type HealthSubject, SourceHealth } from "./source-health.ts";

export interface ObservedSourceOptions {
  readonly source: LiveSource;
  /** What the list of targets says about it. */
  readonly subject: Omit<HealthSubject, "sourceId" | "labels"> & { readonly dialect: Dialect | undefined };
  readonly intervalMs: number;
  /** Name of this process. */
  readonly streamer: string;
  readonly clock: Clock;
  readonly onMissed: OnMissed;
}

/** A live source with a schedule, and what this process knows about it: that follows from its readings. */
export class ObservedSource implements LiveSource {
  readonly sourceId: string;
  readonly description: string;
  private readonly health: SourceHealth;

  constructor(private readonly options: ObservedSourceOptions) {
    const { source, subject, clock } = options;
    this.sourceId = source.sourceId;
    this.description = source.description;
    this.health = new SourceHealth(
      { ...subject, sourceId: this.sourceId, labels: {} },
      { ...options, nowMs: () => clock.nowMs(), log: undefined },
    );
  }

  /** What this process knows about the source. */
  state(): TargetState {
    return this.health.show();
  }

  async *read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch> {
    try {
      for await (const batch of this.options.source.read(afterMs, signal, takenUntilMs)) {
        this.observe(batch);
        yield batch;
      }
    } finally {
      this.health.release();
    }
  }

  private observe({ timeMs, batch, reading }: LiveBatch): void {
    if (reading === undefined) return;
    const { count, reason = "no_streamer", message = "" } = reading;
    const durationMs = Math.max(0, Math.round(this.options.clock.nowMs() - timeMs));
    const read = { devices: batch.recordCount, samples: batch.tally.samples, rejected: batch.rejected.length };
    if (reading.outcome === "missed") {
      const tried = isOwnFault(reason) ? {} : { durationMs };
      this.health.missed({ timeMs, count, failure: { reason, message }, ...tried });
    } else if (count === 0) this.health.readMore(read);
    else {
      const { dialect } = this.options.subject;
      const frozen = reading.frozen ?? 0;
      const rest = { sampleLines: read.samples, ignored: 0, undecided: 0, isCut: false, offTime: undefined, frozen };
      this.health.read({ ...read, ...rest, dialect, timeMs, durationMs });
    }
  }
}
