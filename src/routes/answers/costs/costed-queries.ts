import { defined } from "../../../kit/defined.ts";
import type { CoverageFilter } from "../../../domain/coverage.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import {
  type AggregateFilter,
  type ColumnsFilter,
  type EachGpuFilter,
  type EndsFilter,
  type HistoryPage,
  type RecordFilter,
  type RollupResolution,
  rollupMs,
} from "../../../domain/query.ts";
import { hourMs, type TimeRange } from "../../../domain/time-range.ts";
import type { QuestionWeight, TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { isSearch, PageEstimates } from "./page-estimates.ts";
import type { Ask, QuestionCost } from "./query-costs.ts";
import type { RowEstimates } from "./row-estimates.ts";

/** Counting stops at this many records. */
const maxCounted = 1_000_000;
/** A page of columns has about as many records at most, if few metrics are asked for. */
const recordsPerColumns = 300_000;
const light = { weight: "light", rows: () => 1 } as const;
const always: TimeRange = { fromMs: -Infinity, toMs: Infinity };

/** The store's queries for clients: each question is charged to its client, waits for its turn, and ends when its client leaves. A
 *  question about one GPU is light. */
export class CostedQueries implements TelemetryQueries {
  readonly fleet: TelemetryQueries["fleet"];
  readonly history: TelemetryQueries["history"];
  readonly aggregates: TelemetryQueries["aggregates"];
  readonly quarantine: TelemetryQueries["quarantine"];
  readonly settling: TelemetryQueries["settling"];
  readonly coverage: TelemetryQueries["coverage"];
  readonly usage: TelemetryQueries["usage"];

  private readonly pages: PageEstimates;

  constructor(
    ask: Ask,
    private readonly estimates: RowEstimates,
  ) {
    this.pages = new PageEstimates(estimates);
    this.fleet = fleetBy(ask);
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
    this.settling = { due: (age) => ask(light, ({ settling }) => settling.due(age)) };
    this.coverage = {
      coverage: (filter) =>
        ask(
          heavy(() => this.ofCoverage(filter)),
          (queries) => queries.coverage.coverage(filter),
        ),
    };
    this.usage = this.usageBy(ask);
  }

  private usageBy(ask: Ask): TelemetryQueries["usage"] {
    const cost = (gpus: GpuSelector, range: TimeRange) => heavy(() => this.ofUsage(gpus, range));
    return {
      sums: (filter) => ask(cost(filter.gpus, filter.range), ({ usage }) => usage.sums(filter)),
      jobs: (filter) => ask(cost(filter.gpus, filter.range), ({ usage }) => usage.jobs(filter)),
      holders: (filter) => {
        const { uuid, range, within } = filter;
        return ask(cost({ uuids: [uuid], ...defined({ within }) }, range), ({ usage }) => usage.holders(filter));
      },
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
        ask(
          {
            weight: weightOf(filter.gpus),
            rows: () => this.ofRecords(filter),
            read: (page, tookMs) => this.pages.read({ filter, page, tookMs }, (ms) => this.estimates.in(ms)),
          },
          ({ history }) => history.records(filter),
        ),
      columns: (filter) =>
        ask({ ...this.ofColumns(filter), read: ({ records }) => records }, ({ history }) => history.columns(filter)),
      rollups: (filter, resolution) => {
        const perRollup = (): number => this.estimates.perRollup(resolution);
        const cost = {
          weight: weightOf(filter.gpus),
          rows: () => this.ofRollups(filter, resolution),
          read: (page: HistoryPage<unknown>, tookMs: number) =>
            this.pages.read({ filter, page, tookMs }, (ms) => ms / rollupMs[resolution]) * perRollup(),
        };
        return ask(cost, ({ history }) => history.rollups(filter, resolution));
      },
      recordsOfEach: (filter) =>
        ask(
          { weight: weightOfEach(filter), rows: () => this.ofEach(filter, (ms) => this.estimates.in(ms)) },
          ({ history }) => history.recordsOfEach(filter),
        ),
      rollupsOfEach: (filter, resolution) => {
        const rows = (): number =>
          this.ofEach(filter, (ms) => ms / rollupMs[resolution]) * this.estimates.perRollup(resolution);
        return ask({ weight: weightOfEach(filter), rows }, ({ history }) => history.rollupsOfEach(filter, resolution));
      },
      ends: (filter) => ask(costOfEnds(filter), ({ history }) => history.ends(filter)),
      deviceKinds: (within) => {
        // those within are found by reading when each GPU was within
        const cost = within === undefined ? light : heavy(() => 1);
        return ask(cost, ({ history }) => history.deviceKinds(within));
      },
    };
  }

  private ofRecords({ gpus, range, limit }: RecordFilter): number {
    return Math.min(limit, this.estimates.records(gpus, range));
  }

  private ofColumns({ gpus, range, cursor }: ColumnsFilter): QuestionCost<unknown> {
    const left = cursor?.range ?? range;
    return {
      weight: weightOf(gpus),
      rows: () => Math.min(recordsPerColumns, this.estimates.records(gpus, left)),
    };
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

  /** The ledger has a row for some hundred devices and an hour; within bounds on namespaces, records may be read. */
  private ofUsage(gpus: GpuSelector, range: TimeRange): number {
    const hours = this.estimates.sum(gpus, range, (ms) => Math.ceil(ms / hourMs));
    return gpus.within?.namespaces === undefined ? hours : Math.max(hours, this.estimates.records(gpus, range) / 10);
  }

  private ofAggregates({ gpus, range, resolution, groupBy }: AggregateFilter): number {
    // a rollup combines all workloads of a GPU, so these are made from the records
    if (groupBy === "namespace" || gpus.within?.namespaces !== undefined) return this.estimates.records(gpus, range);
    const rollups = this.estimates.sum(gpus, range, (ms) => ms / rollupMs[resolution]);
    return rollups * this.estimates.perRollup(resolution);
  }
}

function fleetBy(ask: Ask): TelemetryQueries["fleet"] {
  return {
    gpus: (selector) => ask(light, ({ fleet }) => fleet.gpus(selector)),
    latest: (selector) => ask(light, ({ fleet }) => fleet.latest(selector)),
    changes: (filter) => ask(light, ({ fleet }) => fleet.changes(filter)),
    has: (uuid, within) => ask(light, ({ fleet }) => fleet.has(uuid, within)),
    firstSeen: (within) =>
      ask(
        heavy(() => 1),
        ({ fleet }) => fleet.firstSeen(within),
      ),
    revision: () => ask(light, ({ fleet }) => fleet.revision()),
    stateSpans: (known, endAfterMs) => ask(light, ({ fleet }) => fleet.stateSpans(known, endAfterMs)),
  };
}

/** The records of one GPU are found by the primary key; those among them that have something in common, or are within a caller's bounds,
 *  may be rare, and all of its history be read. */
function weightOf(gpus: GpuSelector): QuestionWeight {
  return gpus.uuids?.length === 1 && !isSearch(gpus) ? "light" : "heavy";
}

function weightOfEach({ uuids, within }: Pick<EachGpuFilter, "uuids" | "within">): QuestionWeight {
  return weightOf({ uuids, ...defined({ within }) });
}

/** Ends within bounds are found by reading when each GPU was within. */
function costOfEnds(filter: EndsFilter): { readonly weight: QuestionWeight; readonly rows: () => number } {
  return { weight: filter.within === undefined ? weightOfEach(filter) : "heavy", rows: () => 1 };
}

function heavy(rows: () => number) {
  return { weight: "heavy", rows } as const;
}

function counted(rows: readonly unknown[]): number {
  return rows.length;
}
