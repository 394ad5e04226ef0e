import type { Upload, UploadProgress, UploadState } from "../../domain/upload.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";

/** An upload of the table, as the statements return it. */
export interface UploadRow extends Omit<
  Upload,
  "hostname" | "contentId" | "expectedBytes" | "contentBytes" | "progress" | "finishedAtMs"
> {
  readonly client: string;
  readonly partBytes: number;
  readonly hostname: string | null;
  readonly contentId: string | null;
  readonly expectedBytes: number | null;
  readonly contentBytes: number | null;
  readonly progress: UploadProgress | null;
  readonly finishedAtMs: number | null;
}

const columns = `id, state, message, file_name as "fileName", cluster_id as "clusterId", hostname, client, sender, content_id as "contentId",
  part_bytes as "partBytes", received_bytes::float8 as "receivedBytes", expected_bytes::float8 as "expectedBytes",
  content_bytes::float8 as "contentBytes", progress, ${epochMs("created_at")} as "createdAtMs", ${epochMs("changed_at")} as "changedAtMs",
  ${epochMs("finished_at")} as "finishedAtMs"`;

const isUnfinished = "state in ('receiving', 'queued', 'reading')";

/** Lets no other transaction begin or finish an upload until this one ends. */
export function lockUploads(transaction: SqlTransaction): void {
  transaction.send("lock table uploads in share row exclusive mode");
}

/** What the uploads that are not finished take. */
export interface UploadLoad {
  readonly unfinished: number;
  /** Of them, the client's. */
  readonly ofClient: number;
  readonly storedBytes: number;
}

/** Reads what the uploads that are not finished take. */
export async function selectUploadLoad(executor: SqlExecutor, client: string): Promise<UploadLoad> {
  const text = `
select count(*)::float8 as unfinished, count(*) filter (where client = $1)::float8 as "ofClient",
  coalesce(sum(stored_bytes), 0)::float8 as "storedBytes"
from uploads where ${isUnfinished}`;
  return (await executor.query<UploadLoad>(text, [client]))[0] as UploadLoad;
}

/** An upload that begins. */
export type NewUpload = Pick<Upload, "id" | "fileName" | "clusterId" | "hostname" | "sender" | "expectedBytes"> & {
  readonly client: string;
  readonly partBytes: number;
};

/** Adds an upload of which no byte has arrived. */
export async function insertUpload(executor: SqlExecutor, upload: NewUpload): Promise<void> {
  const text = `
insert into uploads (id, state, file_name, cluster_id, hostname, client, sender, part_bytes, expected_bytes)
values ($1, 'receiving', $2, $3, $4, $5, $6, $7::int, $8::int8)`;
  const { id, fileName, clusterId, hostname = null, client, sender, partBytes, expectedBytes = null } = upload;
  await executor.query(text, [id, fileName, clusterId, hostname, client, sender, partBytes, expectedBytes]);
}

/** Counts a part that has arrived, if it is the next one. @returns false if it is not, or if the upload is not being received any more */
export async function countPart(
  transaction: SqlTransaction,
  id: string,
  { number, receivedBytes, storedBytes }: PartSizes,
): Promise<boolean> {
  const text = `
update uploads set received_bytes = received_bytes + $3::int8, stored_bytes = stored_bytes + $4::int8, changed_at = now()
where id = $1 and state = 'receiving' and received_bytes = $2::int8 * part_bytes`;
  return (await transaction.change(text, [id, number, receivedBytes, storedBytes])) === 1;
}

/** A part's number, and its size as it arrived and as it is kept. */
interface PartSizes {
  readonly number: number;
  readonly receivedBytes: number;
  readonly storedBytes: number;
}

/** Reads the upload that has this content and is neither cancelled nor failed. */
export async function selectSameContent(executor: SqlExecutor, contentId: string): Promise<UploadRow | undefined> {
  const text = `select ${columns} from uploads where content_id = $1 and state in ('queued', 'reading', 'done')`;
  return (await executor.query<UploadRow>(text, [contentId]))[0];
}

/** Lets an upload be read. @returns undefined if it is not being received any more */
export async function queueUpload(
  executor: SqlExecutor,
  id: string,
  contentId: string,
): Promise<UploadRow | undefined> {
  const text = `
update uploads set state = 'queued', content_id = $2, changed_at = now() where id = $1 and state = 'receiving' returning ${columns}`;
  return (await executor.query<UploadRow>(text, [id, contentId]))[0];
}

/** Notes how far an upload is read. @returns false if it may not be read any more */
export async function updateReading(
  executor: SqlExecutor,
  id: string,
  { contentBytes, progress }: { readonly contentBytes: number | undefined; readonly progress: UploadProgress },
): Promise<boolean> {
  const text = `
update uploads set state = 'reading', content_bytes = coalesce($2::int8, content_bytes), progress = $3::text::jsonb, changed_at = now()
where id = $1 and state in ('queued', 'reading') returning id`;
  return (await executor.query(text, [id, contentBytes ?? null, JSON.stringify(progress)])).length === 1;
}

/** How an upload ends. */
export interface UploadEnd {
  readonly state: Extract<UploadState, "done" | "cancelled" | "failed">;
  readonly message: string;
}

/** Ends an upload. @returns undefined if no upload has the id, or if it has ended already */
export async function endUpload(
  executor: SqlExecutor,
  id: string,
  { state, message }: UploadEnd,
): Promise<UploadRow | undefined> {
  const text = `
update uploads set state = $2, message = $3, stored_bytes = 0, changed_at = now(), finished_at = now()
where id = $1 and ${isUnfinished} returning ${columns}`;
  return (await executor.query<UploadRow>(text, [id, state, message]))[0];
}

/** Reads the newest uploads, the newest first. */
export function selectUploads(executor: SqlExecutor, limit: number): Promise<UploadRow[]> {
  return executor.query(`select ${columns} from uploads order by id collate "C" desc limit $1::int`, [limit]);
}

/** Reads an upload. */
export async function selectUpload(executor: SqlExecutor, id: string): Promise<UploadRow | undefined> {
  return (await executor.query<UploadRow>(`select ${columns} from uploads where id = $1`, [id]))[0];
}

/** Reads the uploads that may be read, the oldest first. */
export function selectReadable(executor: SqlExecutor): Promise<UploadRow[]> {
  return executor.query(`select ${columns} from uploads where state in ('queued', 'reading') order by id collate "C"`);
}

/** Reads which uploads have received nothing for so long. */
export async function selectSilent(executor: SqlExecutor, seconds: number): Promise<string[]> {
  const text =
    "select id from uploads where state = 'receiving' and changed_at < now() - make_interval(secs => $1::float8)";
  return (await executor.query<{ id: string }>(text, [seconds])).map(({ id }) => id);
}

/** Deletes an upload that has ended. @returns undefined if no ended upload has the id */
export async function deleteUpload(executor: SqlExecutor, id: string): Promise<UploadRow | undefined> {
  const text = `delete from uploads where id = $1 and not ${isUnfinished} returning ${columns}`;
  return (await executor.query<UploadRow>(text, [id]))[0];
}

/** Deletes uploads that have ended, except the newest `kept`. */
export async function deleteOldUploads(executor: SqlExecutor, kept: number): Promise<void> {
  const text = `
delete from uploads where id in (
  select id from uploads where not ${isUnfinished} order by id collate "C" desc offset $1::int)`;
  await executor.query(text, [kept]);
}
