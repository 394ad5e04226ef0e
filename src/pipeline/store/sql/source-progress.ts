import type { SqlExecutor } from "../../../db/client.ts";
import { countColumns } from "../../../db/sql/folded-messages.ts";
import type { InputTally, RejectReason } from "../../../domain/batch.ts";
import { joinRanges, type Range } from "../../../domain/range.ts";
import type { SourceProgress, SourceTotals } from "../telemetry-store.ts";

/** The stored part of a source. */
export async function readProgress(executor: SqlExecutor, sourceId: string): Promise<SourceProgress> {
  const ranges = await executor.query<RangeRow>(rangesText, [sourceId]);
  const [sums] = await executor.query<SumsRow>(sumsText, [sourceId]);
  const reasons = await executor.query<{ reason: RejectReason; count: number }>(reasonsText, [sourceId]);
  return {
    stored: joinRanges(ranges.map(rangeOf)),
    totals: {
      ...(sums as SumsRow),
      rejected: Object.fromEntries(reasons.map(({ reason, count }) => [reason, count])),
    },
  };
}

/** The time of a live source's latest stored batch: see `TelemetryStore.latestInstantMs`. */
export async function readLatestInstant(executor: SqlExecutor, sourceId: string): Promise<number | undefined> {
  const [latest] = await executor.query<{ at_ms: number }>(latestText, [sourceId]);
  return latest?.at_ms;
}

interface RangeRow {
  readonly from_offset: number;
  readonly from_line: number;
  readonly to_offset: number;
  readonly to_line: number;
}

type SumsRow = Omit<SourceTotals, "rejected"> & InputTally;

const rangesText = `
select from_offset::float8 as from_offset, from_line::float8 as from_line,
  to_offset::float8 as to_offset, to_line::float8 as to_line
from (select from_offset, from_line, to_offset, to_line from ingested_messages where source_id = $1
  union all select from_offset, from_line, to_offset, to_line from folded_ranges where source_id = $1) ranges
order by from_offset, to_offset`;

/** In a live source, a position is a time: `from` and `to` of a stored message are both the time of its batch. */
// a source that has ended begins again without a gap
const latestText = `
select at_ms
from (select greatest(
    (select from_offset from ingested_messages where source_id = $1 order by from_offset desc limit 1),
    (select last_offset from folded_totals where source_id = $1))::float8 as at_ms) newest
where at_ms is not null and not exists (select from source_ends where source_id = $1 and ended_at >= to_timestamp(at_ms / 1000.0))`;

// the messages that still have rows, and the sums of the others
const sumsText = `
select ${sum("messages")}, ${sum("rows")}, ${sum("samples")}, ${sum("missing")}, ${sum("duplicates")}, ${sum("conflicts")},
  ${sum("blank_lines", "blankLines")}, ${sum("repeated_headers", "repeatedHeaders")},
  ${sum("records_inserted", "recordsInserted")}, ${sum("records_merged", "recordsMerged")}
from (
  select 1 as messages, ${countColumns.join(", ")} from ingested_messages where source_id = $1
  union all select messages, ${countColumns.join(", ")} from folded_totals where source_id = $1) counted`;

const reasonsText = `
select key as reason, sum(value::int8)::float8 as count
from (select rejected from ingested_messages where source_id = $1
  union all select rejected from folded_totals where source_id = $1) r, jsonb_each_text(rejected)
group by key order by key`;

function sum(column: string, name = column): string {
  return `coalesce(sum(${column}), 0)::float8 as "${name}"`;
}

function rangeOf(row: RangeRow): Range {
  return {
    from: { offset: row.from_offset, line: row.from_line },
    to: { offset: row.to_offset, line: row.to_line },
  };
}
