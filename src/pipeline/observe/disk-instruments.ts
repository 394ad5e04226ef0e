import { Counter, Gauge, type Registry } from "prom-client";
import type { DiskUse } from "../store/store-disk.ts";

/** Shows the files of the embedded store, and what was deleted to keep them below their limit. */
export function showDisk(
  read: { readonly use: () => DiskUse; readonly trimmedRecords: () => number },
  registry: Registry,
): void {
  void new Gauge({
    name: "telemetry_store_files_bytes",
    help: "Files of the embedded store: all, the write-ahead log and the space reusable for new rows in them, and the most they may take (DATA_MAX_GIB)",
    labelNames: ["part"],
    registers: [registry],
    collect() {
      const { bytes, logBytes, reusableBytes, maxBytes } = read.use();
      this.set({ part: "all" }, bytes);
      this.set({ part: "log" }, logBytes);
      this.set({ part: "reusable" }, reusableBytes);
      if (maxBytes !== undefined) this.set({ part: "limit" }, maxBytes);
    },
  });
  void new Gauge({
    name: "telemetry_store_table_bytes",
    help: "Tables of the embedded store, each with its indexes",
    labelNames: ["table"],
    registers: [registry],
    collect() {
      for (const [table, bytes] of read.use().tables) this.set({ table }, bytes);
    },
  });
  void new Counter({
    name: "telemetry_store_trimmed_records_total",
    help: "Oldest records that were deleted because the embedded store's files had almost reached their limit",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read.trimmedRecords());
    },
  });
}
