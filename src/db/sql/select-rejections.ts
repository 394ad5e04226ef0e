import type { RejectionFilter, StoredRejection } from "../../domain/query.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";

const columns = `id::float8 as id, source_id as "sourceId", line::float8 as line, byte_offset::float8 as byte, reason, field, value,
  message, raw, (extract(epoch from seen_at)::float8 * 1000)::float8 as "seenAtMs", push_id as "pushId"`;

/** Reads rejected inputs, newest first: of one source or push, or of all if the filter names none. */
export function selectRejections(
  executor: SqlExecutor,
  { sourceId, pushId, beforeId, limit }: RejectionFilter,
): Promise<StoredRejection[]> {
  const conditions = new Conditions()
    .add("source_id = ?", sourceId)
    .add("push_id = ?", pushId)
    .add("id < ?::float8::int8", beforeId);
  const text = `
select ${columns} from quarantine ${conditions.after("where")} order by id desc limit ${conditions.param(limit)}`;
  return executor.query<StoredRejection>(text, conditions.params);
}

/** Reads one rejected input. @returns undefined if it does not exist */
export async function selectRejection(executor: SqlExecutor, id: number): Promise<StoredRejection | undefined> {
  const text = `select ${columns} from quarantine where id = $1::float8::int8`;
  return (await executor.query<StoredRejection>(text, [id]))[0];
}

/** Deletes a rejected input. @returns false if it does not exist */
export async function deleteRejection(executor: SqlExecutor, id: number): Promise<boolean> {
  const text = "delete from quarantine where id = $1::float8::int8 returning id::float8 as id";
  return (await executor.query(text, [id])).length > 0;
}
