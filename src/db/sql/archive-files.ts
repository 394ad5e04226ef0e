import type { ArchiveFilter, ListedArchiveFile } from "../../domain/archive.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { epochMs } from "./epoch-ms.ts";

/** The files of the archive, the newest hour first. */
export function selectArchiveFiles(
  executor: SqlExecutor,
  { limit, after }: ArchiveFilter,
): Promise<ListedArchiveFile[]> {
  const conditions = new Conditions();
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
