import type { RejectionFilter, StoredRejection } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";

/** Reads rejected inputs, newest first: of one source, or of all sources if the filter names none. */
export function selectRejections(
  executor: SqlExecutor,
  { sourceId, limit }: RejectionFilter,
): Promise<StoredRejection[]> {
  const conditions = new Conditions().add("source_id = ?", sourceId);
  const text = `
select source_id as "sourceId", line::float8 as line, byte_offset::float8 as byte, reason, field, value, message, raw,
  (extract(epoch from seen_at)::float8 * 1000)::float8 as "seenAtMs"
from quarantine ${conditions.after("where")} order by id desc limit ${conditions.param(limit)}`;
  return executor.query<StoredRejection>(text, conditions.params);
}
