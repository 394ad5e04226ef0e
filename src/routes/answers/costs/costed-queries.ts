import { defined } from "../../../kit/defined.ts";
import type { CoverageFilter } from "../../../domain/coverage.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type {
  AggregateFilter,
  EachGpuFilter,
  HistoryPage,
  RecordFilter,
  RollupResolution,
} from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import type { QuestionWeight, TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import type { Ask } from "./query-costs.ts";
import { type RowEstimates, rollupMs } from "./row-estimates.ts";

/** Counting stops at this many records. */
const maxCounted = 1_000_000;
const hourMs = 3_600_000;
const light = { weight: "light", rows: () => 1 } as const;
const always: TimeRange = { fromMs: -Infinity, toMs: Infinity };

/** The store's queries for clients: each question is charged to its client, waits for its turn, and ends when its client leaves. A
 *  question about one GPU is light. */
export class CostedQueries implements TelemetryQueries {
  readonly fleet: TelemetryQueries["fleet"];
  readonly history: TelemetryQueries["history"];
  readonly aggregates: TelemetryQueries["aggregates"];
  readonly quarantine: TelemetryQueries["quarantine"];
  readonly coverage: TelemetryQueries["coverage"];

  constructor(
    ask: Ask,
    private readonly estimates: RowEstimates,
  ) {
    this.fleet = {
      gpus: (selector) => ask(light, ({ fleet }) => fleet.gpus(selector)),
      latest: (selector) => ask(light, ({ fleet }) => fleet.latest(selector)),
      changes: (filter) => ask(light, ({ fleet }) => fleet.changes(filter)),
      has: (uuid, within) => ask(light, ({ fleet }) => fleet.has(uuid, within)),
      firstSeen: (within) =>
        ask(
          heavy(() => 1),
          ({ fleet }) => fleet.firstSeen(within),
        ),
      stateSpans: (known) => ask(light, ({ fleet }) => fleet.stateSpans(known)),
    };
    this.history = this.historyBy(ask);
    this.aggregates = this.aggregatesBy(ask);
    this.quarantine = {
      rejections: (filter) =>
        ask({ ...light, rows: () => filter.limit, read: counted }, ({ quarantine }) => quarantine.rejections(filter)),
      countRejections: () =>
        ask(
          heavy(() => 1),
          ({ quarantine }) => quarantine.countRejections(),
        ),
      countConflicts: () =>
        ask(
          heavy(() => 1),
          ({ quarantine }) => quarantine.countConflicts(),
        ),
    };
    this.coverage = {
      coverage: (filter) =>
        ask(
          heavy(() => this.ofCoverage(filter)),
          (queries) => queries.coverage.coverage(filter),
        ),
    };
  }

  private aggregatesBy(ask: Ask): TelemetryQueries["aggregates"] {
    return {
      byGroup: (filter) =>
        ask(
          heavy(() => this.ofAggregates(filter)),
          ({ aggregates }) => aggregates.byGroup(filter),
        ),
      countRecords: (clusterId, within) => {
        const selector = { clusterId, ...defined({ within }) };
        const rows = (): number => Math.min(maxCounted, this.estimates.records(selector, always));
        return ask(heavy(rows), ({ aggregates }) => aggregates.countRecords(clusterId, within));
      },
    };
  }

  private historyBy(ask: Ask): TelemetryQueries["history"] {
    return {
      records: (filter) =>
        ask({ weight: weightOf(filter.gpus), rows: () => this.ofRecords(filter), read: paged }, ({ history }) =>
          history.records(filter),
        ),
      rollups: (filter, resolution) =>
        ask({ weight: weightOf(filter.gpus), rows: () => this.ofRollups(filter, resolution) }, ({ history }) =>
          history.rollups(filter, resolution),
        ),
      recordsOfEach: (filter) =>
        ask(
          { weight: weightOf(filter), rows: () => this.ofEach(filter, (ms) => this.estimates.in(ms)) },
          ({ history }) => history.recordsOfEach(filter),
        ),
      rollupsOfEach: (filter, resolution) => {
        const rows = (): number =>
          this.ofEach(filter, (ms) => ms / rollupMs[resolution]) * this.estimates.perRollup(resolution);
        return ask({ weight: weightOf(filter), rows }, ({ history }) => history.rollupsOfEach(filter, resolution));
      },
      deviceKinds: (within) => ask(light, ({ history }) => history.deviceKinds(within)),
    };
  }

  private ofRecords({ gpus, range, limit }: RecordFilter): number {
    return Math.min(limit, this.estimates.records(gpus, range));
  }

  private ofRollups({ gpus, range, limit }: RecordFilter, resolution: RollupResolution): number {
    const rollups = this.estimates.sum(gpus, range, (ms) => ms / rollupMs[resolution]);
    return Math.min(limit, rollups) * this.estimates.perRollup(resolution);
  }

  private ofEach({ uuids, range, limit }: EachGpuFilter, countOf: (ms: number) => number): number {
    return this.estimates.sum({ uuids }, range, (ms) => Math.min(limit, countOf(ms)));
  }

  private ofCoverage({ gpus, range }: CoverageFilter): number {
    return this.estimates.sum(gpus, range, (ms) => Math.ceil(ms / hourMs));
  }

  private ofAggregates({ gpus, range, resolution, groupBy }: AggregateFilter): number {
    // a rollup combines all workloads of a GPU, so these are made from the records
    if (groupBy === "namespace" || gpus.within?.namespaces !== undefined) return this.estimates.records(gpus, range);
    const rollups = this.estimates.sum(gpus, range, (ms) => ms / rollupMs[resolution]);
    return rollups * this.estimates.perRollup(resolution);
  }
}

/** The records of one GPU are found by the primary key; those of a namespace among them may be rare, and all of its history be read. */
function weightOf({ uuids, namespace }: Pick<GpuSelector, "uuids" | "namespace">): QuestionWeight {
  return uuids?.length === 1 && namespace === undefined ? "light" : "heavy";
}

function heavy(rows: () => number) {
  return { weight: "heavy", rows } as const;
}

function paged({ elements }: HistoryPage<unknown>): number {
  return elements.length;
}

function counted(rows: readonly unknown[]): number {
  return rows.length;
}
