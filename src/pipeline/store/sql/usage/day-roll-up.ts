import type { SqlClient } from "../../../../db/client.ts";
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
import { copyDeviceDays } from "../../../../db/sql/usage-device-days.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf, hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { packDeviceDays } from "../../../../domain/usage/device-day.ts";
import { packUsageDay } from "../../../../domain/usage/usage-day.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { addUpDay } from "./day-entries.ts";
import { type FleetMarks, type MarkedFleet, readMarkedFleet } from "./fleet-mark.ts";
import { isOpen } from "./stored-days.ts";

interface DueDays {
  readonly range: TimeRange;
  /** Hours that are not settled. */
  readonly open: readonly number[];
}

/** Adds up the usage of past days, so that questions about months need not read each hour. A day is made when all of its hours are settled,
 *  and made again when they or the devices have changed; until then, questions read its hours. */
export class DayRollUp {
  /** Days whose hours cannot be read; they are tried again after the others. */
  private readonly unreadable = new Set<number>();

  constructor(
    private readonly client: SqlClient,
    private readonly thresholds: UsageThresholds,
  ) {}

  /** Adds up one day, the newest that is due. @returns false if none is due */
  async rollUpDay(): Promise<boolean> {
    const fleet = await readMarkedFleet(this.client);
    const due = await this.due();
    const day = due && (await this.nextDay(due, fleet.marks));
    if (day === undefined) {
      this.unreadable.clear();
      return false;
    }
    try {
      return (await this.make(day, fleet)) !== "busy";
    } catch (error) {
      if (!(error instanceof UndecodableBlock)) throw error;
      this.unreadable.add(day);
      return true;
    }
  }

  /** Adds up a day, whether it is stored already or not.
   *  @returns `not due`: its hours, or the one after it, are not settled; `busy`, `changed`: try again
   *  @throws UndecodableBlock if its hours cannot be read */
  async makeDay(day: number): Promise<"made" | "not due" | "busy" | "changed"> {
    const due = await this.due();
    const isDue = due !== undefined && day >= due.range.fromMs && day < due.range.toMs && !isOpen(day, due.open);
    return isDue ? this.make(day, await readMarkedFleet(this.client)) : "not due";
  }

  /** The days that are over, and hours that are not settled. */
  private async due(): Promise<DueDays | undefined> {
    const span = await selectUsageSpan(this.client);
    if (span === undefined) return undefined;
    // the hour after a day counts for it, too
    const last = Math.min(span.toMs + hourMs, span.nowMs) - dayMs - hourMs;
    const range = { fromMs: dayOf(span.fromMs), toMs: dayOf(last) + dayMs };
    if (range.fromMs >= range.toMs) return undefined;
    const around = { fromMs: range.fromMs - hourMs, toMs: range.toMs + hourMs };
    return { range, open: await selectOpenHours(this.client, around) };
  }

  private async nextDay({ range, open }: DueDays, marks: FleetMarks): Promise<number | undefined> {
    const made = await selectUsageDays(this.client, range);
    for (let day = range.toMs - dayMs; day >= range.fromMs; day -= dayMs) {
      if (this.unreadable.has(day) || isOpen(day, open)) continue;
      if (made.get(day) !== marks.of(day)) return day;
    }
    return undefined;
  }

  private async make(day: number, { families, marks }: MarkedFleet): Promise<"made" | "busy" | "changed"> {
    const mark = marks.of(day);
    const around = hoursAround(day);
    const before = await selectUsageMark(this.client, around);
    const { entries, ofDevices } = await addUpDay(
      this.client,
      { fromMs: day, toMs: day + dayMs },
      { families, thresholds: this.thresholds },
    );
    const packed = packUsageDay(entries, day);
    const rows = ofDevices.map((some) => ({ ...some, ...packDeviceDays(some, day), day }));
    const hours = Array.from(
      { length: (around.toMs - around.fromMs) / hourMs },
      (_, index) => around.fromMs + index * hourMs,
    );
    return this.client.transaction(async (transaction) => {
      limitSettling(transaction);
      if ((await tryHours(transaction, hours)) !== "held") return "busy";
      const isAsRead = (await selectUsageMark(transaction, around)) === before;
      const open = await selectOpenHours(transaction, around);
      if (!isAsRead || open.length > 0) return "changed";
      deleteUsageDay(transaction, day);
      if (!(await copyUsageDay(transaction, { ...packed, day, fleet: mark }))) return "busy";
      await copyDeviceDays(transaction, rows);
      return "made";
    });
  }
}
