import type { SqlExecutor } from "../../../db/client.ts";
import { selectDeviceKinds } from "../../../db/sql/select-device-kinds.ts";
import { selectSeriesEnds } from "../../../db/sql/select-series-ends.ts";
import type { SeriesEnd } from "../../../domain/series-end.ts";
import { byPlace } from "../../../domain/gpu.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import type {
  ColumnsFilter,
  ColumnsPage,
  DeviceKinds,
  EachGpuFilter,
  EndsFilter,
  HistoryPage,
  RecordFilter,
  RollupResolution,
  StoredRecord,
  StoredRollup,
} from "../../../domain/query.ts";
import { sorted } from "../../../kit/sorted.ts";
import type { HistoryQueries } from "../telemetry-queries.ts";
import { rollupPage, rollupsOfEachGpu } from "./aggregates/rollup-pages.ts";
import { readColumnsPage } from "./history/columns-page.ts";
import { readRecordPage } from "./history/record-page.ts";
import { readRecordsOfEach } from "./history/records-of-each.ts";
import { recordsOf, rollupsOf } from "./stored-rows.ts";

/** Reads the history in SQL. */
export class SqlHistoryQueries implements HistoryQueries {
  /** @param reads gives each question an executor, with its time limit */
  constructor(private readonly reads: () => SqlExecutor) {}

  async records(filter: RecordFilter): Promise<HistoryPage<StoredRecord>> {
    const reads = this.reads();
    const { elements, next, places } = await readRecordPage(reads, filter);
    return { elements: inOrder(await recordsOf(reads, elements, { within: filter.gpus.within, places })), next };
  }

  columns(filter: ColumnsFilter): Promise<ColumnsPage> {
    return readColumnsPage(this.reads(), filter);
  }

  async rollups(filter: RecordFilter, resolution: RollupResolution): Promise<HistoryPage<StoredRollup>> {
    const reads = this.reads();
    const { elements, next } = await rollupPage(reads, filter, resolution);
    return { elements: inOrder(await rollupsOf(reads, elements, filter.gpus.within)), next };
  }

  async recordsOfEach(filter: EachGpuFilter): Promise<StoredRecord[]> {
    const reads = this.reads();
    const rows = await readRecordsOfEach(reads, filter);
    return inOrder(await recordsOf(reads, rows, { within: filter.within }));
  }

  async rollupsOfEach(filter: EachGpuFilter, resolution: RollupResolution): Promise<StoredRollup[]> {
    const reads = this.reads();
    const rows = await rollupsOfEachGpu(reads, filter, resolution);
    return inOrder(await rollupsOf(reads, rows, filter.within));
  }

  ends(filter: EndsFilter): Promise<SeriesEnd[]> {
    return selectSeriesEnds(this.reads(), filter);
  }

  deviceKinds(within?: GpuBounds): Promise<DeviceKinds> {
    return selectDeviceKinds(this.reads(), within);
  }
}

/** Orders a list by time, then hostname, index and uuid. */
function inOrder<Row extends { readonly timeMs: number; readonly gpu: StoredRecord["gpu"] }>(
  rows: readonly Row[],
): Row[] {
  const order = (a: Row, b: Row): number => a.timeMs - b.timeMs || byPlace(a.gpu, b.gpu);
  // those of a page are often in order, or in reverse order
  const ascending = (rows[0]?.timeMs ?? 0) <= (rows.at(-1)?.timeMs ?? 0) ? rows : rows.toReversed();
  return sorted(ascending, order);
}
