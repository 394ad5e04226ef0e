import type { SqlExecutor } from "../../../db/client.ts";
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
from ingested_messages where source_id = $1 order by from_offset, to_offset`;

/** In a live source, a position is a time: `from` and `to` of a stored message are both the time of its batch. */
// a source that has ended begins again without a gap
const latestText = `
select at_ms
from (select from_offset::float8 as at_ms from ingested_messages where source_id = $1 order by from_offset desc limit 1) newest
where not exists (select from source_ends where source_id = $1 and ended_at >= to_timestamp(at_ms / 1000.0))`;

const sumsText = `
select count(*)::float8 as messages, coalesce(sum(rows), 0)::float8 as rows, coalesce(sum(samples), 0)::float8 as samples,
  coalesce(sum(missing), 0)::float8 as missing, coalesce(sum(duplicates), 0)::float8 as duplicates,
  coalesce(sum(conflicts), 0)::float8 as conflicts,
  coalesce(sum(blank_lines), 0)::float8 as "blankLines",
  coalesce(sum(repeated_headers), 0)::float8 as "repeatedHeaders",
  coalesce(sum(records_inserted), 0)::float8 as "recordsInserted",
  coalesce(sum(records_merged), 0)::float8 as "recordsMerged"
from ingested_messages where source_id = $1`;

const reasonsText = `
select key as reason, sum(value::int)::float8 as count
from ingested_messages, jsonb_each_text(rejected) where source_id = $1 group by key order by key`;

function rangeOf(row: RangeRow): Range {
  return {
    from: { offset: row.from_offset, line: row.from_line },
    to: { offset: row.to_offset, line: row.to_line },
  };
}
