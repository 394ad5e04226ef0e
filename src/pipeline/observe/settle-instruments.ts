import type { Registry } from "prom-client";
import type { SettleFigures } from "../store/history-settling.ts";
import type { TelemetryStore } from "../store/telemetry-store.ts";
import { type FigureCounter, type FigureGauge, showFigures } from "./figures.ts";

/** What this process has settled and made rows again, and what waits. */
type Figures = SettleFigures & Pick<TelemetryStore, "unsettledRecords"> & { readonly isOn: boolean };

const gauges: readonly FigureGauge<Figures>[] = [
  [
    "telemetry_settle_enabled",
    "1 if this process moves the records of past hours into blocks, 0 if SETTLE_HISTORY=false",
    ({ isOn }) => Number(isOn),
  ],
  [
    "telemetry_settle_lag_seconds",
    "How long the hour that has waited longest for its records to become blocks has been due; 0 if none is; every collector shows the same",
    ({ waiting }) => waiting?.lagSeconds,
  ],
  [
    "telemetry_settle_due_ranges",
    "Hours whose records are to become blocks, at most 1000; every collector shows the same",
    ({ waiting }) => waiting?.dueHours,
  ],
];

const counters: readonly FigureCounter<Figures>[] = [
  [
    "telemetry_settled_records_total",
    "Records that this process has moved from rows into blocks",
    ({ settledRecords }) => settledRecords,
  ],
  [
    "telemetry_unsettled_records_total",
    "Records of settled hours that this process has made rows again, because records came for their GPU and hour",
    ({ unsettledRecords }) => unsettledRecords,
  ],
  [
    "telemetry_settle_seconds_total",
    "Time that this process's transactions took that moved records into blocks",
    ({ settledSeconds }) => settledSeconds,
  ],
  [
    "telemetry_settle_busy_ranges_total",
    "How often this process left an hour for later because records were being added to it",
    ({ busyHours }) => busyHours,
  ],
];

/** Shows Prometheus what was settled and what waits. Before it is known what waits, there are no gauges of it.
 *  @param read returns the newest figures */
export function showSettling(read: () => Figures, registry: Registry): void {
  showFigures(read, gauges, { counters, registry });
}
