import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type CoverageFilter, coverageHourMs } from "../../src/domain/coverage.ts";
import type { InventoryChange, InventoryFilter, InventoryItem } from "../../src/domain/inventory.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";

export const minute = 60_000;
/** The time between readings of the tests' sources. */
export const intervalMs = 10 * minute;
/** A whole hour of the recent past, so that what is said from now on comes after all readings. */
export const t0 = Math.floor(Date.now() / coverageHourMs) * coverageHourMs - 24 * coverageHourMs;

/** Stores readings, and changes and reads the inventory. */
export class ToldInventory {
  private messages = 0;

  constructor(readonly opened: OpenStore) {}

  /** Stores a reading of a source with a device each; their host and cluster have the name of the source. */
  async read(source: string, timeMs: number, uuids: readonly string[]): Promise<void> {
    const records = uuids.map((uuid) => {
      return { uuid, hostname: source, clusterId: source, timeMs, metrics: { temperature: 1 } };
    });
    const batch = { ...makeBatch(records), reading: { timeMs, intervalMs, outcome: "read" as const, count: 1 } };
    const id = `reading ${this.messages++}`;
    await this.opened.store.ingest(messageOf(id, batch, { source, from: timeMs, to: timeMs }));
  }

  change(action: InventoryChange["action"], more: Partial<InventoryChange>) {
    const change = { action, subject: {}, fromMs: undefined, toMs: undefined, note: "", ...more };
    return this.opened.inventory.change(change);
  }

  /** @throws if the change is refused */
  async changed(action: InventoryChange["action"], more: Partial<InventoryChange>): Promise<InventoryItem> {
    const outcome = await this.change(action, more);
    if (outcome.kind !== "changed") throw new Error(`refused: ${JSON.stringify(outcome)}`);
    return outcome.item;
  }

  async items(filter: Partial<InventoryFilter>): Promise<readonly InventoryItem[]> {
    return (await this.opened.inventory.items({ limit: 1000, ...filter })).items;
  }

  /** The coverage of devices by hour, of the three hours from t0 on. */
  async coverage(gpus: CoverageFilter["gpus"], more: Partial<CoverageFilter> = {}) {
    const range = { fromMs: t0, toMs: t0 + 3 * coverageHourMs };
    const filter = {
      groupBy: "device" as const,
      gpus,
      range,
      step: "hour" as const,
      limit: 1000,
      nowMs: range.toMs - 1,
    };
    return (await this.opened.queries.coverage.coverage({ ...filter, ...more })).rows;
  }
}
