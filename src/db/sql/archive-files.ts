import type { ArchiveFilter, ArchiveSelection, ListedArchiveFile } from "../../domain/archive.ts";
import { hourOf } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";

/** The conditions that select files of `archive_files`. */
export function archiveConditions({ clusterId, range }: ArchiveSelection): Conditions {
  const conditions = new Conditions().add("cluster_id = ?", clusterId);
  return range === undefined ? conditions : conditions.within("hour", { ...range, fromMs: hourOf(range.fromMs) });
}

/** The files of the archive, the newest hour first. */
export function selectArchiveFiles(
  executor: SqlExecutor,
  { limit, after, ...selection }: ArchiveFilter,
): Promise<ListedArchiveFile[]> {
  const conditions = archiveConditions(selection);
  const max = conditions.param(limit);
  if (after !== undefined) {
    const [hour, cluster] = [conditions.param(after.hour), conditions.param(after.clusterId)];
    const instant = `to_timestamp(${hour}::float8 / 1000.0)`;
    conditions.addText(`(hour < ${instant} or hour = ${instant} and cluster_id collate "C" > ${cluster})`);
  }
  const text = `
select ${epochMs("hour")} as hour, cluster_id as "clusterId", path, records::float8 as records,
  bytes::float8 as bytes, sha256, ${epochMs("written_at")} as "writtenAtMs"
from archive_files ${conditions.after("where")} order by archive_files.hour desc, cluster_id collate "C" limit ${max}`;
  return executor.query(text, conditions.params);
}
