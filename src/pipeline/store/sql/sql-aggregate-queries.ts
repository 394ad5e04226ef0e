import type { SqlExecutor } from "../../../db/client.ts";
import { countRecords } from "../../../db/sql/count-records.ts";
import { selectExpected } from "../../../db/sql/select-expected.ts";
import { groupColumns } from "../../../db/sql/select-spans.ts";
import { QueryTooCostly } from "../../../domain/errors.ts";
import type { GpuBounds } from "../../../domain/gpu-bounds.ts";
import { type AggregateFilter, type AggregateRow, type RecordCount, rollupMs } from "../../../domain/query.ts";
import type { TimeRange } from "../../../domain/time-range.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import type { AggregateQueries } from "../telemetry-queries.ts";
import { groupsOf } from "./aggregates/groups-of.ts";
import type { Groups } from "./aggregates/groups.ts";
import { summarize } from "./aggregates/summarize.ts";
import { aggregatesAt, type SpanOfSums } from "./aggregates/summaries.ts";
import { ExpectedRecords, type GroupSchedule } from "./expected-records.ts";

/** It takes about 5 ms to make rows of so many metrics. */
const metricsPerTurn = 10_000;

/** Aggregates the history. */
export class SqlAggregateQueries implements AggregateQueries {
  /** @param reads gives each question an executor, with its time limit */
  constructor(private readonly reads: () => SqlExecutor) {}

  async byGroup(filter: AggregateFilter): Promise<AggregateRow[]> {
    const { groupBy, gpus, metrics, limit, withExpected } = filter;
    const reads = this.reads();
    const widthMs = rollupMs[filter.resolution];
    const schedules = withExpected ? selectExpected(reads, filter) : Promise.resolve([]);
    const expected = schedules.then((known) => new ExpectedRecords(known));
    // it is awaited when there are rows, or not at all
    expected.catch(() => undefined);
    const { groups, own } = await groupsOf(reads, { groupBy, gpus });
    const rows = new RowsOfGroups(groups, filter, expected);
    const question = { widthMs, metrics, groups, own };
    for await (const span of summarize(reads, wholeBuckets(filter.range, widthMs), question)) {
      await rows.add(span);
      if (rows.rows.length > limit) {
        throw new QueryTooCostly(
          `more than ${limit} rows: ask for a shorter window, fewer groups or a coarser resolution`,
        );
      }
    }
    return rows.rows;
  }

  countRecords(clusterId: string, within?: GpuBounds): Promise<RecordCount> {
    return countRecords(this.reads(), clusterId, { within });
  }
}

/** The buckets that begin in a range. */
function wholeBuckets({ fromMs, toMs }: TimeRange, widthMs: number): TimeRange {
  const begin = (bound: number): number => Math.ceil(bound / widthMs) * widthMs;
  return { fromMs: begin(fromMs), toMs: begin(toMs) };
}

interface KnownGroup extends Pick<AggregateRow, "group"> {
  readonly schedule: GroupSchedule | undefined;
}

/** Makes rows of summaries, in the order of time, then of groups. */
class RowsOfGroups {
  readonly rows: AggregateRow[] = [];
  private order: readonly number[] = [];
  private readonly known: KnownGroup[] = [];
  private readonly rowsPerTurn: number;

  constructor(
    private readonly groups: Groups,
    private readonly filter: AggregateFilter,
    private readonly expected: Promise<ExpectedRecords>,
  ) {
    this.rowsPerTurn = Math.ceil(metricsPerTurn / Math.max(1, filter.metrics.length));
  }

  /** Adds a span that is later than those before. Stops at one row more than the limit. */
  async add({ fromMs, sums }: SpanOfSums): Promise<void> {
    const { resolution, metrics, limit } = this.filter;
    const expected = await this.expected;
    if (this.order.length !== this.groups.names.length) this.order = this.groups.inOrder();
    const widthMs = rollupMs[resolution];
    for (let bucket = 0; bucket < sums.buckets; bucket += 1) {
      const timeMs = fromMs + bucket * widthMs;
      for (const number of this.order) {
        if (number >= sums.groupCount) continue;
        const cell = sums.cell(number, bucket);
        if (sums.records[cell] === 0) continue;
        const { group, schedule } = this.groupOf(number, expected);
        this.rows.push({
          timeMs,
          group,
          expected: schedule?.within(timeMs, timeMs + widthMs),
          metrics: aggregatesAt(sums, cell, metrics),
        });
        if (this.rows.length > limit) return;
        if (this.rows.length % this.rowsPerTurn === 0) await turnOfOthers();
      }
    }
  }

  private groupOf(number: number, expected: ExpectedRecords): KnownGroup {
    const names = this.groups.names[number] ?? [];
    const columns = groupColumns[this.filter.groupBy];
    return (this.known[number] ??= {
      group: Object.fromEntries(columns.map((column, index) => [column, names[index] ?? ""])),
      schedule: expected.of(names),
    });
  }
}
