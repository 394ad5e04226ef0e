import type { Registry } from "prom-client";
import type { ArchiveFigures } from "../store/archive-ledger.ts";
import { type FigureCounter, type FigureGauge, showFigures } from "./figures.ts";

const gauges: readonly FigureGauge<ArchiveFigures>[] = [
  [
    "telemetry_archive_waiting_hours",
    "Hours that are over and not in the archive, or not as they are now; only from the process that writes it",
    ({ waiting }) => waiting?.hours,
  ],
  [
    "telemetry_archive_lag_seconds",
    "How long the hour that has waited longest could have been in the archive; 0 if none waits; only from the process that writes it",
    ({ waiting }) => waiting?.lagSeconds,
  ],
];

const counters: readonly FigureCounter<ArchiveFigures>[] = [
  ["telemetry_archived_records_total", "Records that this process has written to the archive", (of) => of.records],
  ["telemetry_archived_files_total", "Files of the archive that this process has written", (of) => of.files],
  ["telemetry_archived_bytes_total", "Bytes of these files", (of) => of.bytes],
  ["telemetry_archive_seconds_total", "Time that this process took to write them", (of) => of.seconds],
];

/** Shows Prometheus what was archived and what waits.
 *  @param read returns the newest figures */
export function showArchive(read: () => ArchiveFigures, registry: Registry): void {
  showFigures(read, gauges, { counters, registry });
}
