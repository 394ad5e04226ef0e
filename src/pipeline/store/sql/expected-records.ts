import type { ScheduledDevices } from "../../../db/sql/select-expected.ts";

/** The number of records of each group that were due in a span of time. */
export class ExpectedRecords {
  private readonly byGroup: ReadonlyMap<string, readonly ScheduledDevices[]>;

  constructor(schedules: readonly ScheduledDevices[]) {
    this.byGroup = Map.groupBy(schedules, ({ group }) => JSON.stringify(group));
  }

  /** @param group the values that identify the group
   *  @param toMs the end of the span, which is not included
   *  @returns undefined if it is not known of every device of the group */
  of(group: readonly string[], fromMs: number, toMs: number): number | undefined {
    let sum = 0;
    const within = (this.byGroup.get(JSON.stringify(group)) ?? []).filter(
      (each) => each.fromMs < toMs && each.toMs > fromMs,
    );
    for (const { devices, intervalMs, phaseMs, ...span } of within) {
      if (intervalMs === null) return undefined;
      const before = (instantMs: number): number => Math.ceil((instantMs - phaseMs) / intervalMs);
      sum += devices * Math.max(0, before(Math.min(toMs, span.toMs)) - before(Math.max(fromMs, span.fromMs)));
    }
    // an aggregate has records, so 0 would be wrong
    return sum === 0 ? undefined : sum;
  }
}
