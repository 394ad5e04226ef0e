import { Gauge, type Registry } from "prom-client";
import type { InventoryCounts } from "../../domain/inventory.ts";

/** The label of each sum. */
const labels: Readonly<Record<keyof InventoryCounts, string>> = {
  declared: "declared",
  seen: "seen",
  neverSeen: "never_seen",
  maintenance: "maintenance",
  decommissioned: "decommissioned",
};

/** Shows the sums of the inventory to Prometheus. While the sums are not known, the metric has no series.
 *  @param read returns the newest sums */
export function showInventory(read: () => InventoryCounts | undefined, registry: Registry): void {
  void new Gauge({
    name: "telemetry_inventory_gpus",
    help: "GPUs of the inventory that are declared, have reported, have never reported, are under maintenance or decommissioned; a GPU counts in several of these, and every collector shows the same sums",
    labelNames: ["kind"],
    registers: [registry],
    collect() {
      this.reset();
      const counts = read();
      if (counts === undefined) return;
      for (const name of Object.keys(labels) as (keyof InventoryCounts)[])
        this.set({ kind: labels[name] }, counts[name]);
    },
  });
}
