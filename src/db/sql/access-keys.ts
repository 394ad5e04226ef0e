import type { SqlExecutor } from "../client.ts";
import { epochMs } from "./epoch-ms.ts";

/** A key of the table, as the statements return it. Instants are in ms since the epoch. */
export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  readonly scopes: readonly string[];
  /** Null: it has none. */
  readonly selector: unknown;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
}

const columns = `id, name, sha256, scopes, selector, ${epochMs("expires_at")} as "expiresAtMs", ${epochMs("created_at")} as "createdAtMs",
  ${epochMs("revoked_at")} as "revokedAtMs", ${epochMs("last_used_at")} as "lastUsedAtMs"`;
const isValid = "revoked_at is null and (expires_at is null or expires_at > now())";

/** Reads the keys that are valid now. */
export function selectValidKeys(executor: SqlExecutor): Promise<KeyRow[]> {
  return executor.query<KeyRow>(`select ${columns} from access_keys where ${isValid}`);
}

/** Reads all keys, the newest first. */
export function selectKeys(executor: SqlExecutor, limit: number): Promise<KeyRow[]> {
  return executor.query<KeyRow>(
    `select ${columns} from access_keys order by created_at desc, id collate "C" limit $1::int`,
    [limit],
  );
}

/** Adds a key, unless there are `maxKeys` keys that are not revoked. @returns undefined if there are */
export async function insertKey(
  executor: SqlExecutor,
  key: Pick<KeyRow, "id" | "name" | "sha256" | "scopes" | "selector" | "expiresAtMs">,
  maxKeys: number,
): Promise<KeyRow | undefined> {
  const text = `
insert into access_keys (id, name, sha256, scopes, selector, expires_at)
select $1, $2, $3, $4::text::jsonb, $5::text::jsonb, to_timestamp($6::float8 / 1000)
where (select count(*) from access_keys where revoked_at is null) < $7::int
returning ${columns}`;
  const { id, name, sha256, scopes, selector, expiresAtMs } = key;
  const bounds = selector === null ? null : JSON.stringify(selector);
  const params = [id, name, sha256, JSON.stringify(scopes), bounds, expiresAtMs, maxKeys];
  return (await executor.query<KeyRow>(text, params))[0];
}

/** Revokes a key. @returns undefined if there is no such key */
export async function updateRevoked(executor: SqlExecutor, id: string): Promise<KeyRow | undefined> {
  const text = `update access_keys set revoked_at = coalesce(revoked_at, now()) where id = $1 returning ${columns}`;
  return (await executor.query<KeyRow>(text, [id]))[0];
}

/** Lets a valid key expire after `overlapSeconds`, unless it expires earlier.
 *  @returns the key, with its expiry as it was before; undefined if there is no valid key with this id */
export async function updateExpiry(
  executor: SqlExecutor,
  id: string,
  overlapSeconds: number,
): Promise<(KeyRow & { readonly wasExpiringAtMs: number | null }) | undefined> {
  const text = `
with old as (select id as old_id, expires_at as was from access_keys where id = $1 and ${isValid} for update)
update access_keys set expires_at = least(expires_at, now() + make_interval(secs => $2::float8))
from old where id = old_id
returning ${columns}, ${epochMs("was")} as "wasExpiringAtMs"`;
  return (await executor.query<KeyRow & { wasExpiringAtMs: number | null }>(text, [id, overlapSeconds]))[0];
}

/** Notes when keys were used. A later instant is kept. */
export async function updateLastUsed(executor: SqlExecutor, uses: ReadonlyMap<string, number>): Promise<void> {
  const text = `
update access_keys set last_used_at = greatest(last_used_at, to_timestamp(used.at / 1000))
from json_to_recordset($1::text::json) as used(key text, at float8) where id = used.key`;
  const rows = [...uses].map(([key, at]) => ({ key, at }));
  await executor.query(text, [JSON.stringify(rows)]);
}
