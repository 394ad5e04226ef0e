import { makeBatch } from "../../dev/make-batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { aborted } from "../../src/kit/aborted.ts";
import type { Clock } from "../../src/kit/clock.ts";
import { freeTime } from "../../src/pipeline/source/scheduled-readings.ts";
import { Schedule } from "../../src/pipeline/source/schedule.ts";
import type { LiveBatch, LiveSource } from "../../src/pipeline/source/source.ts";
import type { DroppedReading } from "../../src/domain/reading.ts";
import type { SourcesChange, TargetSources } from "../../src/pipeline/source/target-sources.ts";

/** Targets that the test adds and removes. */
export class ToldTargets implements TargetSources {
  readonly description = "told";
  readonly error = undefined;
  /** The counts of readings that were dropped, by source and reason. */
  readonly drops = new Map<string, number>();
  private onChange: ((change: SourcesChange) => void) | undefined;

  constructor(public current: readonly LiveSource[]) {}

  follow(onChange: (change: SourcesChange) => void, signal: AbortSignal): Promise<void> {
    this.onChange = onChange;
    onChange({ added: this.current, removed: [] });
    return aborted(signal);
  }

  dropped(sourceId: string, { reason, count }: DroppedReading): void {
    const key = `${sourceId} ${reason}`;
    this.drops.set(key, (this.drops.get(key) ?? 0) + count);
  }

  change(added: readonly LiveSource[], removed: readonly LiveSource[] = []): void {
    this.current = [...this.current.filter((source) => !removed.includes(source)), ...added];
    this.onChange?.({ added, removed });
  }
}

/** A scrape may begin this late on a busy machine. */
const latestStartMs = 2000;

/** A target that answers at once at each scheduled time, with one record, or without any if it measures nothing. */
export class ScheduledSource implements LiveSource {
  readonly description: string;
  private readonly schedule: Schedule;

  constructor(
    readonly sourceId: string,
    private readonly options: {
      readonly intervalMs: number;
      readonly clock: Clock;
      /** What it measures; absent: a temperature. */
      readonly metrics?: () => Readonly<Record<string, number>>;
    },
  ) {
    this.description = sourceId;
    this.schedule = new Schedule(sourceId, options.intervalMs);
  }

  async *read(afterMs: number, signal: AbortSignal, takenUntilMs?: number): AsyncIterable<LiveBatch> {
    const { clock, intervalMs, metrics: measured = () => ({ temperature: 30 }) } = this.options;
    let lastMs = afterMs;
    for (;;) {
      const dueMs = this.schedule.nextAfter(Math.max(lastMs, clock.nowMs() - latestStartMs));
      const count = lastMs === -Infinity ? 0 : this.schedule.countBetween(lastMs, dueMs);
      if (count > 0) yield this.missed(dueMs - intervalMs, count);
      await clock.sleep(Math.max(0, dueMs - clock.nowMs()), signal);
      if (signal.aborted) return;
      lastMs = dueMs;
      const timeMs = freeTime(dueMs, takenUntilMs);
      const metrics = measured();
      const records = Object.keys(metrics).length === 0 ? [] : [{ uuid: `GPU-${this.sourceId}`, timeMs, metrics }];
      const batch = makeBatch(records);
      yield {
        ...{ timeMs, idempotencyKey: `${this.sourceId}:${timeMs}`, batch },
        reading: { timeMs, intervalMs, outcome: "read", count: 1 },
      };
    }
  }

  private missed(timeMs: number, count: number): LiveBatch {
    const { intervalMs } = this.options;
    return {
      ...{ timeMs, idempotencyKey: `${this.sourceId}:${timeMs}`, batch: new BatchBuilder().build() },
      reading: { timeMs, intervalMs, outcome: "missed", reason: "no_streamer", message: "", count },
    };
  }
}
