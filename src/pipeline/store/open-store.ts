import type { HistoryRetention } from "./history-retention.ts";
import type { TelemetryQueries } from "./telemetry-queries.ts";
import type { TelemetryStore } from "./telemetry-store.ts";

/** A store that is open, for writing and for reading. */
export interface OpenStore {
  /** Its place, for people; without secrets. */
  readonly description: string;
  /** What its database is, for people; undefined until it was reached. */
  readonly engine: () => string | undefined;
  readonly store: TelemetryStore;
  readonly queries: TelemetryQueries;
  readonly retention: HistoryRetention;
  readonly close: () => Promise<void>;
}
