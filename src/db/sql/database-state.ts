import type { SqlExecutor } from "../client.ts";
import { foldedAmong, type MessageKey } from "./folded-messages.ts";

/** An SQL expression that has the same value as long as the same server process answers with the same tables. It changes when
 *  the server restarts, when another server answers at the same address, when another database gets the name, and when the
 *  tables are restored from a backup. */
export const incarnation = `(select concat_ws(' ', extract(epoch from pg_postmaster_start_time()), oid, 'gpus'::regclass::oid,
  pg_relation_filenode('gpus')) from pg_database where datname = current_database())`;

/** What tells a database from another one, and from an older state of itself. */
export interface DatabaseState {
  /** The value of `incarnation`. */
  readonly incarnation: string;
  /** A number of the server's data, the same for its standbys and its backups; undefined if it cannot be read. */
  readonly systemId: string | undefined;
  /** Rises when a standby becomes the primary; undefined if it cannot be read. */
  readonly timeline: string | undefined;
  /** False if the message is not recorded as stored. */
  readonly hasMessage: boolean;
}

/** Reads the expression `incarnation`. */
export async function readIncarnation(executor: SqlExecutor): Promise<string> {
  const [row] = await executor.query<{ incarnation: string }>(`select ${incarnation} as incarnation`);
  return row?.incarnation ?? "";
}

const stateText = `
select ${incarnation} as incarnation, exists (select from ingested_messages where idempotency_key = $1) as "hasMessage"`;

// pg_control_checkpoint would still have the old timeline until the new primary's first checkpoint
const identityText = `
select system_identifier::text as "systemId",
  case when pg_is_in_recovery() then null else left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end as timeline
from pg_control_system()`;

/** Reads a database's state.
 *  @param message the message to look up; undefined: none, `hasMessage` is then true */
export async function readDatabaseState(
  executor: SqlExecutor,
  message: MessageKey | undefined,
): Promise<DatabaseState> {
  // not by its id: a message that was published again has another one
  const parameters = [message?.idempotencyKey ?? ""];
  const [row] = await executor.query<Pick<DatabaseState, "incarnation" | "hasMessage">>(stateText, parameters);
  const identity = await readIdentity(executor);
  return {
    incarnation: row?.incarnation ?? "",
    systemId: identity?.systemId,
    timeline: identity?.timeline ?? undefined,
    hasMessage:
      message === undefined ||
      row?.hasMessage === true ||
      (await foldedAmong(executor, [message])).has(message.messageId),
  };
}

/** Every role may call these functions of PostgreSQL, unless an administrator has revoked the right. A database service that is
 *  not PostgreSQL itself, but compatible with it, may lack them. @returns undefined if they cannot be called */
async function readIdentity(
  executor: SqlExecutor,
): Promise<{ readonly systemId: string; readonly timeline: string | null } | undefined> {
  const [right] = await executor.query<{ has: boolean | null }>(
    `select bool_and(has_function_privilege(oid, 'execute')) as has from pg_proc
     where proname in ('pg_control_system', 'pg_walfile_name', 'pg_current_wal_insert_lsn')`,
  );
  if (right?.has !== true) return undefined;
  const [identity] = await executor.query<{ systemId: string; timeline: string | null }>(identityText).catch(() => []);
  return identity;
}
