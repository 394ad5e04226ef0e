import type { SqlClient, SqlExecutor } from "../../../../db/client.ts";
import { limitSettling, tryHours } from "../../../../db/sql/hour-locks.ts";
import {
  copyUsageDay,
  deleteUsageDay,
  hoursAround,
  selectOpenHours,
  selectUsageDays,
  selectUsageMark,
  selectUsageSpan,
} from "../../../../db/sql/usage-days.ts";
import { selectUsageFleet, type UsageFleet } from "../../../../db/sql/usage-devices.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf, hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { noPrices } from "../../../../domain/usage/prices.ts";
import {
  packUsageDay,
  type UsageDayEntry,
  type UsageWhere,
  type UsageWho,
} from "../../../../domain/usage/usage-day.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { FleetMarks } from "./fleet-mark.ts";
import { familiesOf, placeAt } from "./usage-fleet.ts";
import { isOpen } from "./usage-parts.ts";
import { heldShares, UsageSums } from "./usage-sums.ts";
import { usageTime } from "./usage-time.ts";

/** Adds up the usage of past days, so that questions about months need not read each hour. A day is made when all of its hours are settled,
 *  and made again when they or the devices have changed; until then, questions read its hours. */
export class DayRollUp {
  /** Days whose hours cannot be read; they are tried again by the next process. */
  private readonly unreadable = new Set<number>();

  constructor(
    private readonly client: SqlClient,
    private readonly thresholds: UsageThresholds,
  ) {}

  /** Adds up one day, the newest that is due. @returns false if none is due */
  async rollUpDay(): Promise<boolean> {
    const fleet = await selectUsageFleet(this.client);
    const marks = new FleetMarks(familiesOf(fleet, { gpus: {} }));
    const day = await this.nextDay(marks);
    if (day === undefined) return false;
    try {
      return await this.make(day, { fleet, mark: marks.of({ fromMs: day, toMs: day + dayMs }) });
    } catch (error) {
      if (!(error instanceof UndecodableBlock)) throw error;
      this.unreadable.add(day);
      return true;
    }
  }

  private async nextDay(marks: FleetMarks): Promise<number | undefined> {
    const span = await selectUsageSpan(this.client);
    if (span === undefined) return undefined;
    const first = dayOf(span.fromMs);
    // the hour after a day counts for it, too
    const last = Math.min(span.toMs + hourMs, span.nowMs) - dayMs - hourMs;
    const range = { fromMs: first, toMs: dayOf(last) + dayMs };
    if (range.fromMs >= range.toMs) return undefined;
    const made = await selectUsageDays(this.client, range);
    const open = await selectOpenHours(this.client, { fromMs: range.fromMs - hourMs, toMs: range.toMs + hourMs });
    for (let day = range.toMs - dayMs; day >= range.fromMs; day -= dayMs) {
      if (this.unreadable.has(day) || isOpen(day, open)) continue;
      if (made.get(day) !== marks.of({ fromMs: day, toMs: day + dayMs })) return day;
    }
    return undefined;
  }

  private async make(
    day: number,
    { fleet, mark }: { readonly fleet: UsageFleet; readonly mark: string },
  ): Promise<boolean> {
    const around = hoursAround(day);
    const before = await selectUsageMark(this.client, around);
    const entries = await entriesOf(
      this.client,
      { fromMs: day, toMs: day + dayMs },
      { fleet, thresholds: this.thresholds },
    );
    const packed = packUsageDay(entries, day);
    const hours = Array.from(
      { length: (around.toMs - around.fromMs) / hourMs },
      (_, index) => around.fromMs + index * hourMs,
    );
    return this.client.transaction(async (transaction) => {
      limitSettling(transaction);
      if ((await tryHours(transaction, hours)) !== "held") return false;
      const isAsRead = (await selectUsageMark(transaction, around)) === before;
      const open = await selectOpenHours(transaction, around);
      if (!isAsRead || open.length > 0) return true;
      deleteUsageDay(transaction, day);
      return copyUsageDay(transaction, { ...packed, day, fleet: mark });
    });
  }
}

interface OpenEntry {
  readonly who: UsageWho;
  readonly where: UsageWhere;
  readonly sums: UsageSums;
  readonly deviceKeys: Set<number>;
  fromMs: number;
  toMs: number;
}

async function entriesOf(
  executor: SqlExecutor,
  range: TimeRange,
  options: { readonly fleet: UsageFleet; readonly thresholds: UsageThresholds },
): Promise<UsageDayEntry[]> {
  const entries = new Map<string, OpenEntry>();
  for await (const { shares } of usageTime(executor, { gpus: {}, range }, options)) {
    for (const share of shares) {
      const { device, segment } = share;
      const { clusterId, hostname, modelName } = placeAt(device, segment.atMs);
      for (const held of heldShares(share)) {
        const { state, workload, job, user } = held;
        const { namespace, pod, container } = workload;
        const key = JSON.stringify([state, namespace, pod, container, job, user, clusterId, hostname, modelName]);
        let entry = entries.get(key);
        if (entry === undefined) {
          const [who, where] = [
            { state, workload, job, user },
            { clusterId, hostname, modelName },
          ];
          const sums = new UsageSums(noPrices);
          entry = { who, where, sums, deviceKeys: new Set(), fromMs: segment.fromMs, toMs: segment.toMs };
          entries.set(key, entry);
        }
        entry.sums.add(held);
        entry.deviceKeys.add(device.gpuKey);
        entry.fromMs = Math.min(entry.fromMs, segment.fromMs);
        entry.toMs = Math.max(entry.toMs, segment.toMs);
      }
    }
  }
  return [...entries.values()].map(({ who, where, sums, deviceKeys, fromMs, toMs }) => ({
    ...{ who, where, figures: { ...sums.figures(), fromMs, toMs } },
    deviceKeys: [...deviceKeys].sort((a, b) => a - b),
  }));
}
