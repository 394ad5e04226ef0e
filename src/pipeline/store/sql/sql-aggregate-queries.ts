import type { SqlClient } from "../../../db/client.ts";
import type { DatabaseEngine } from "../../../db/engine.ts";
import { countRecords } from "../../../db/sql/count-records.ts";
import { groupColumns, selectAggregates } from "../../../db/sql/select-aggregates.ts";
import { QueryTooCostly } from "../../../domain/errors.ts";
import type { AggregateFilter, AggregateRow, RecordCount } from "../../../domain/query.ts";
import type { AggregateQueries } from "../telemetry-queries.ts";
import { aggregatesOf } from "./stored-rows.ts";

/** Aggregates the history in SQL. */
export class SqlAggregateQueries implements AggregateQueries {
  constructor(
    private readonly client: SqlClient,
    private readonly engine: () => DatabaseEngine,
  ) {}

  async byGroup(filter: AggregateFilter): Promise<AggregateRow[]> {
    const rows = await selectAggregates(this.client, filter, this.engine().hasMaterializedRollups);
    if (rows.length > filter.limit) {
      throw new QueryTooCostly(
        `more than ${filter.limit} rows: ask for a shorter window, fewer groups or a coarser resolution`,
      );
    }
    return rows.map((row) => {
      const values = row as unknown as Readonly<Record<string, unknown>>;
      return {
        timeMs: Math.round(row.timeMs),
        group: Object.fromEntries(groupColumns[filter.groupBy].map((name) => [name, String(values[name])])),
        metrics: aggregatesOf(row, filter.metrics),
      };
    });
  }

  countRecords(clusterId: string): Promise<RecordCount> {
    return countRecords(this.client, clusterId);
  }
}
