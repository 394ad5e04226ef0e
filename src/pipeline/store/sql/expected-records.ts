import type { ScheduledDevices } from "../../../db/sql/select-expected.ts";

/** The number of records of each group that were due in a span of time. */
export class ExpectedRecords {
  private readonly byGroup: ReadonlyMap<string, GroupSchedule>;

  constructor(schedules: readonly ScheduledDevices[]) {
    const grouped = Map.groupBy(schedules, ({ group }) => JSON.stringify(group));
    this.byGroup = new Map(Array.from(grouped, ([group, each]) => [group, new GroupSchedule(each)]));
  }

  /** @param group the values that identify the group
   *  @returns undefined if nothing is known of it */
  of(group: readonly string[]): GroupSchedule | undefined {
    return this.byGroup.get(JSON.stringify(group));
  }
}

/** The devices of one group. What has ended is forgotten: of a namespace, there is a span for each change of a device's workload. */
export class GroupSchedule {
  private current: ScheduledDevices[] = [];
  /** Those that begin later, the next one last. */
  private readonly later: ScheduledDevices[];

  constructor(schedules: readonly ScheduledDevices[]) {
    this.later = schedules.toSorted((a, b) => b.fromMs - a.fromMs);
  }

  /** The number of records that were due. Ask for spans in the order of time.
   *  @param toMs the end of the span, which is not included
   *  @returns undefined if it is not known of every device of the group */
  within(fromMs: number, toMs: number): number | undefined {
    for (let next = this.later.at(-1); next !== undefined && next.fromMs < toMs; next = this.later.at(-1)) {
      this.current.push(next);
      this.later.pop();
    }
    let [sum, ended] = [0, 0];
    for (const each of this.current) {
      if (each.toMs <= fromMs) {
        ended += 1;
        continue;
      }
      if (each.intervalMs === null) return undefined;
      const first = dueBefore(each, Math.max(fromMs, each.fromMs));
      sum += each.devices * Math.max(0, dueBefore(each, Math.min(toMs, each.toMs)) - first);
    }
    if (ended > 0) this.current = this.current.filter((each) => each.toMs > fromMs);
    // an aggregate has records, so 0 would be wrong
    return sum === 0 ? undefined : sum;
  }
}

function dueBefore({ intervalMs, phaseMs }: ScheduledDevices, instantMs: number): number {
  return Math.ceil((instantMs - phaseMs) / (intervalMs ?? NaN));
}
