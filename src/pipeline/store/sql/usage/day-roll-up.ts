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
import { selectUsageFleet } from "../../../../db/sql/usage-devices.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { dayMs, dayOf, hourMs } from "../../../../domain/time-range.ts";
import { packDeviceDays } from "../../../../domain/usage/device-day.ts";
import { packUsageDay } from "../../../../domain/usage/usage-day.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { addUpDay } from "./day-entries.ts";
import { FleetMarks } from "./fleet-mark.ts";
import { isOpen } from "./stored-days.ts";
import { familiesOf, type GpuFamily } from "./usage-fleet.ts";

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
    const families = familiesOf(await selectUsageFleet(this.client), { gpus: {} });
    const marks = new FleetMarks(families);
    const day = await this.nextDay(marks);
    if (day === undefined) return false;
    try {
      return await this.make(day, { families, mark: marks.of({ fromMs: day, toMs: day + dayMs }) });
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
    { families, mark }: { readonly families: readonly GpuFamily[]; readonly mark: string },
  ): Promise<boolean> {
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
      if ((await tryHours(transaction, hours)) !== "held") return false;
      const isAsRead = (await selectUsageMark(transaction, around)) === before;
      const open = await selectOpenHours(transaction, around);
      if (!isAsRead || open.length > 0) return true;
      deleteUsageDay(transaction, day);
      if (!(await copyUsageDay(transaction, { ...packed, day, fleet: mark }))) return false;
      await copyDeviceDays(transaction, rows);
      return true;
    });
  }
}
