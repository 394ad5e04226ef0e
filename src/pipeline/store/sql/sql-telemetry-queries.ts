import type { DatabaseEngine } from "../../../db/engine.ts";
import type { SqlClient } from "../../../db/client.ts";
import { countRecords } from "../../../db/sql/count-records.ts";
import { countRejections } from "../../../db/sql/count-rejections.ts";
import { groupColumns, selectAggregates } from "../../../db/sql/select-aggregates.ts";
import { selectChanges } from "../../../db/sql/select-changes.ts";
import { selectGpus } from "../../../db/sql/select-gpus.ts";
import { type Places, selectPlaces } from "../../../db/sql/select-places.ts";
import { type RecordRow, selectLatest, selectRecords, selectRecordsOfEach } from "../../../db/sql/select-records.ts";
import { selectRejections } from "../../../db/sql/select-rejections.ts";
import { type RollupRow, selectRollups, selectRollupsOfEach } from "../../../db/sql/select-rollups.ts";
import { QueryTooCostly } from "../../../domain/errors.ts";
import { byPlace } from "../../../domain/gpu.ts";
import { metrics } from "../../../domain/metrics.ts";
import type { GpuSelector } from "../../../domain/gpu-selector.ts";
import type {
  Aggregate,
  AggregateFilter,
  AggregateRow,
  ChangesFilter,
  EachGpuFilter,
  GpuChanges,
  HistoryPage,
  RecordCount,
  RecordFilter,
  RejectionFilter,
  RollupResolution,
  StoredGpu,
  StoredRecord,
  StoredRejection,
  StoredRollup,
} from "../../../domain/query.ts";
import type { TelemetryQueries } from "../telemetry-queries.ts";

const metricNames = metrics.map(({ name }) => name);

/** Answers out of SQL. */
export class SqlTelemetryQueries implements TelemetryQueries {
  constructor(
    private readonly client: SqlClient,
    private readonly engine: () => DatabaseEngine,
  ) {}

  gpus(selector: GpuSelector): Promise<StoredGpu[]> {
    return selectGpus(this.client, selector);
  }

  async latest(selector: GpuSelector): Promise<StoredRecord[]> {
    const rows = await selectLatest(this.client, selector);
    const places = await this.placesOf(rows);
    return rows.map((row) => toRecord(row, places));
  }

  changes(filter: ChangesFilter): Promise<GpuChanges> {
    return selectChanges(this.client, filter);
  }

  async records(filter: RecordFilter): Promise<HistoryPage<StoredRecord>> {
    const { elements, next } = await selectRecords(this.client, filter);
    const places = await this.placesOf(elements);
    return { elements: inOrder(elements.map((row) => toRecord(row, places))), next };
  }

  async rollups(filter: RecordFilter, resolution: RollupResolution): Promise<HistoryPage<StoredRollup>> {
    const isMaterialized = this.engine().hasMaterializedRollups;
    const { elements, next } = await selectRollups(this.client, filter, { resolution, isMaterialized });
    const places = await this.placesOf(elements);
    return { elements: inOrder(elements.map((row) => toRollup(row, places))), next };
  }

  async recordsOfEach(filter: EachGpuFilter): Promise<StoredRecord[]> {
    const rows = await selectRecordsOfEach(this.client, filter);
    const places = await this.placesOf(rows);
    return inOrder(rows.map((row) => toRecord(row, places)));
  }

  async rollupsOfEach(filter: EachGpuFilter, resolution: RollupResolution): Promise<StoredRollup[]> {
    const isMaterialized = this.engine().hasMaterializedRollups;
    const rows = await selectRollupsOfEach(this.client, filter, { resolution, isMaterialized });
    const places = await this.placesOf(rows);
    return inOrder(rows.map((row) => toRollup(row, places)));
  }

  async aggregates(filter: AggregateFilter): Promise<AggregateRow[]> {
    const rows = await selectAggregates(this.client, filter, this.engine().hasMaterializedRollups);
    if (rows.length > filter.limit) {
      throw new QueryTooCostly(
        `more than ${filter.limit} rows: ask for a shorter window, fewer groups or a coarser resolution`,
      );
    }
    return rows.map((row) => ({
      timeMs: Math.round(row.timeMs),
      group: Object.fromEntries(groupColumns[filter.groupBy].map((name) => [name, String(valuesOf(row)[name])])),
      metrics: aggregatesOf(row, filter.metrics),
    }));
  }

  countRecords(clusterId: string): Promise<RecordCount> {
    return countRecords(this.client, clusterId);
  }

  rejections(filter: RejectionFilter): Promise<StoredRejection[]> {
    return selectRejections(this.client, filter);
  }

  countRejections(): Promise<Readonly<Record<string, number>>> {
    return countRejections(this.client);
  }

  /** The GPUs of rows as they were at the rows' instants. */
  private placesOf(rows: readonly { readonly gpuKey: number; readonly timeMs: number }[]): Promise<Places> {
    const [startMs, endMs] = rows.reduce(
      ([first, last], { timeMs }) => [Math.min(first, timeMs), Math.max(last, timeMs)],
      [Infinity, -Infinity],
    );
    return selectPlaces(this.client, { gpuKeys: rows.map(({ gpuKey }) => gpuKey), startMs, endMs });
  }
}

function valuesOf(row: object): Readonly<Record<string, unknown>> {
  return row as Readonly<Record<string, unknown>>;
}

function toRecord(row: RecordRow, places: Places): StoredRecord {
  const values = valuesOf(row);
  const present: Record<string, number> = {};
  for (const name of metricNames) {
    const value = values[name];
    if (typeof value === "number") present[name] = value;
  }
  return {
    gpu: places.at(row.gpuKey, row.timeMs),
    timeMs: row.timeMs,
    metrics: present,
    custom: row.custom ?? {},
    container: row.container ?? "",
    pod: row.pod ?? "",
    namespace: row.namespace ?? "",
  };
}

function toRollup(row: RollupRow, places: Places): StoredRollup {
  const { gpuKey, timeMs, records } = row;
  return { gpu: places.at(gpuKey, timeMs), timeMs, records, metrics: aggregatesOf(row, metricNames) };
}

function aggregatesOf(row: object, names: readonly string[]): Record<string, Aggregate> {
  const values = valuesOf(row);
  const present: Record<string, Aggregate> = {};
  for (const name of names) {
    const [avg, min, max] = [values[`${name}_avg`], values[`${name}_min`], values[`${name}_max`]];
    if (typeof avg !== "number" || typeof min !== "number" || typeof max !== "number") continue;
    present[name] = { avg, min, max, count: values[`${name}_count`] as number };
  }
  return present;
}

/** Lists go by time, then host, then index. */
function inOrder<Row extends { readonly timeMs: number; readonly gpu: StoredRecord["gpu"] }>(
  rows: readonly Row[],
): Row[] {
  return rows.toSorted((a, b) => a.timeMs - b.timeMs || byPlace(a.gpu, b.gpu));
}
