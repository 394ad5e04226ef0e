import type { SqlExecutor } from "../../../db/client.ts";
import { countConflicts } from "../../../db/sql/count-conflicts.ts";
import { countRejections } from "../../../db/sql/count-rejections.ts";
import { selectDueHours } from "../../../db/sql/late-hours.ts";
import { selectChanges } from "../../../db/sql/select-changes.ts";
import { selectGpus } from "../../../db/sql/select-gpus.ts";
import { selectFirstSeen, selectHas } from "../../../db/sql/select-own.ts";
import { selectRejections } from "../../../db/sql/select-rejections.ts";
import { selectRevision } from "../../../db/sql/store-revision.ts";
import { selectStateSpans } from "../../../db/sql/select-state-spans.ts";
import type {
  CoverageQueries,
  FleetQueries,
  QuarantineQueries,
  SettlingQueries,
  TelemetryQueries,
  UsageQueries,
} from "../telemetry-queries.ts";
import { selectCoverage } from "../../../db/sql/select-coverage.ts";
import { withinTime } from "../../../db/within-time.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import { type UsageSettings, usageSettingsDefault } from "../../../domain/usage/usage-hour.ts";
import { coveragePage } from "./coverage-rows.ts";
import { latestRecords } from "./latest-records.ts";
import { namingBlocks } from "./named-failures.ts";
import { SqlAggregateQueries } from "./sql-aggregate-queries.ts";
import { SqlHistoryQueries } from "./sql-history-queries.ts";
import { SqlUsageQueries } from "./usage/sql-usage-queries.ts";

/** Answers queries about the fleet, the history, aggregates and the quarantine in SQL. */
export class SqlTelemetryQueries implements TelemetryQueries {
  readonly fleet: FleetQueries;
  readonly history: SqlHistoryQueries;
  readonly aggregates: SqlAggregateQueries;
  readonly quarantine: QuarantineQueries;
  readonly settling: SettlingQueries;
  readonly coverage: CoverageQueries;
  readonly usage: UsageQueries;

  /** @param limitMs the time that a question may take; absent: as long as each of its statements may */
  constructor(client: SqlExecutor, limitMs?: number, usage: UsageSettings = usageSettingsDefault) {
    const reads = (range?: TimeRange): SqlExecutor => namingBlocks(withinTime(client, limitMs), range);
    this.fleet = {
      gpus: (selector) => selectGpus(client, selector),
      latest: async (selector, onUnreadable) => latestRecords(reads(), selector, onUnreadable),
      changes: (filter) => selectChanges(reads(), filter),
      has: (uuid, within) => selectHas(reads(), uuid, within),
      firstSeen: (within) => selectFirstSeen(reads(), within),
      revision: () => selectRevision(client),
      stateSpans: (known, endAfterMs) => selectStateSpans(reads(), known, endAfterMs),
    };
    this.history = new SqlHistoryQueries(() => reads());
    this.aggregates = new SqlAggregateQueries(() => reads());
    this.quarantine = {
      rejections: (filter) => selectRejections(client, filter),
      countRejections: () => countRejections(client),
      countConflicts: () => countConflicts(client),
    };
    this.settling = { due: (age) => selectDueHours(client, age) };
    this.usage = new SqlUsageQueries(() => reads(), usage);
    this.coverage = {
      coverage: async (filter) => coveragePage(await selectCoverage(reads(filter.range), filter), filter),
    };
  }
}
