import type { SqlExecutor } from "../../../../db/client.ts";
import { selectGroupSpans, selectOwnSpans } from "../../../../db/sql/select-spans.ts";
import type { AggregateFilter } from "../../../../domain/query.ts";
import { Groups } from "./groups.ts";
import { OwnRecords } from "./own-records.ts";

/** Reads the groups of the selected GPUs, and which part of them lies within the caller's bounds. */
export async function groupsOf(
  executor: SqlExecutor,
  { groupBy, gpus }: Pick<AggregateFilter, "groupBy" | "gpus">,
): Promise<{ readonly groups: Groups; readonly own: OwnRecords }> {
  const { within } = gpus;
  const hasPlaces = within?.clusters !== undefined || within?.hosts !== undefined;
  const [spans, ownSpans] = await Promise.all([
    selectGroupSpans(executor, { groupBy, gpus }),
    hasPlaces ? selectOwnSpans(executor, within) : undefined,
  ]);
  const own = new OwnRecords(within, ownSpans);
  return { groups: new Groups(spans, groupBy, own), own };
}
