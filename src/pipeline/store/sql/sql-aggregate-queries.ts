import type { SqlExecutor } from "../../../db/client.ts";
import { countRecords } from "../../../db/sql/count-records.ts";
import { groupColumns, selectAggregates } from "../../../db/sql/select-aggregates.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import { QueryTooCostly } from "../../../domain/errors.ts";
import type { AggregateFilter, AggregateRow, RecordCount } from "../../../domain/query.ts";
import type { AggregateQueries } from "../telemetry-queries.ts";
import { selectExpected } from "../../../db/sql/select-expected.ts";
import { rollupMs } from "../../../db/sql/rollup-source.ts";
import { ExpectedRecords } from "./expected-records.ts";
import { aggregatesOf } from "./stored-rows.ts";

/** Aggregates the history in SQL. */
export class SqlAggregateQueries implements AggregateQueries {
  constructor(private readonly client: SqlExecutor) {}

  async byGroup(filter: AggregateFilter): Promise<AggregateRow[]> {
    const [rows, schedules] = await Promise.all([
      selectAggregates(this.client, filter),
      selectExpected(this.client, filter),
    ]);
    if (rows.length > filter.limit) {
      throw new QueryTooCostly(
        `more than ${filter.limit} rows: ask for a shorter window, fewer groups or a coarser resolution`,
      );
    }
    const expected = new ExpectedRecords(schedules);
    return rows.map((row) => {
      const values = row as unknown as Readonly<Record<string, unknown>>;
      const timeMs = Math.round(row.timeMs);
      const names = groupColumns[filter.groupBy];
      const group = names.map((name) => String(values[name]));
      return {
        timeMs,
        group: Object.fromEntries(names.map((name, index) => [name, group[index] ?? ""])),
        expected: expected.of(group, timeMs, timeMs + rollupMs[filter.resolution]),
        metrics: aggregatesOf(row, filter.metrics),
      };
    });
  }

  countRecords(clusterId: string, within?: GpuBounds): Promise<RecordCount> {
    return countRecords(this.client, clusterId, { within });
  }
}
