import type { InventoryPlace, InventorySubject, ReturnedItem } from "../../domain/inventory.ts";
import { migUuidPrefix } from "../../domain/mig-instance.ts";
import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { numberArray, textArray } from "./array-literal.ts";
import { migPrefixOf, returnOf } from "./device-states.ts";
import { msOf } from "./source-hours.ts";

/** The key of the lock for changes of the inventory: an arbitrary number, the same for every process of this program. */
const inventoryLock = 7_165_201_387;

/** Lets one change of the inventory run at a time, until the end of the transaction.
 *  @returns the time of the database once it is this one's turn, milliseconds since the epoch */
export async function lockInventory(transaction: SqlTransaction): Promise<number> {
  transaction.send(`select pg_advisory_xact_lock(${inventoryLock})`);
  const [row] = await transaction.query<{ now: number }>(`select ${msOf("clock_timestamp()")} as now`);
  return Math.floor((row as { now: number }).now);
}

/** The condition that a row of `gpus g` is the device, a MIG instance of it, or one of the devices of the host. */
function gpusOf({ clusterId, hostname, uuid }: InventoryPlace): { readonly text: string; readonly params: string[] } {
  if (uuid === "") return { text: "g.cluster_id = $1 and g.hostname = $2", params: [clusterId, hostname] };
  return { text: `(g.uuid = $1 or ${migPrefixOf("g.uuid")} = $2)`, params: [uuid, migUuidPrefix(uuid)] };
}

/** The hosts or devices that a subject names, among those that have reported or were declared. */
export function selectSubjects(executor: SqlExecutor, subject: InventorySubject): Promise<InventoryPlace[]> {
  const { uuid, hostname = null, clusterId = null } = subject;
  const known =
    "select cluster_id, hostname, uuid from gpus union all select cluster_id, hostname, uuid from inventory_items";
  const places = `($1::text is null or hostname = $1) and ($2::text is null or cluster_id = $2)`;
  if (uuid === undefined) {
    const text = `select distinct cluster_id as "clusterId", hostname, '' as uuid from (${known}) k where ${places} order by 1, 2`;
    return executor.query(text, [hostname, clusterId]);
  }
  const text = `
select cluster_id as "clusterId", hostname, $3::text as uuid from (${known}) k
where ${places} and (uuid = $3 or ${migPrefixOf("uuid")} = $4) limit 1`;
  return executor.query(text, [hostname, clusterId, uuid, migUuidPrefix(uuid)]);
}

/** The maximum number of names among which similar ones are looked for. */
const maxNames = 20_000;

/** The names of hosts, or the uuids of devices, that have reported or were declared. */
export async function selectNames(executor: SqlExecutor, column: "hostname" | "uuid"): Promise<string[]> {
  const text = `
select ${column} as name from gpus union select ${column} from inventory_items where ${column} <> '' limit ${maxNames}`;
  return (await executor.query<{ name: string }>(text)).map(({ name }) => name);
}

/** A device and its newest record. */
export interface NewestOfDevice {
  readonly uuid: string;
  readonly lastSeenAtMs: number;
}

/** The devices of a host, or a device and its MIG instances, with their newest records; the newest one first. */
export async function selectNewest(executor: SqlExecutor, place: InventoryPlace): Promise<NewestOfDevice[]> {
  const { text, params } = gpusOf(place);
  const newest = `(select time from telemetry where gpu_key = g.gpu_key and time >= g.last_seen_at order by time desc limit 1)`;
  return executor.query(
    `select g.uuid, ${msOf(`coalesce(${newest}, g.last_seen_at)`)} as "lastSeenAtMs" from gpus g where ${text} order by 2 desc`,
    params,
  );
}

/** A span of a host or device. Instants are milliseconds since the epoch. */
export interface NewSpan extends InventoryPlace {
  readonly state: "maintenance" | "decommissioned";
  readonly fromMs: number;
  readonly toMs: number | undefined;
  readonly note: string;
  /** The span of the host with which the device was decommissioned. */
  readonly hostSpanId?: number;
}

/** Adds spans. @returns their ids, in order */
export async function insertSpans(executor: SqlExecutor, spans: readonly NewSpan[]): Promise<number[]> {
  const text = `
insert into inventory_spans (state, cluster_id, hostname, uuid, mig_prefix, host_span_id, from_at, to_at, note, changed_at)
select state, cluster_id, hostname, uuid, mig_prefix, host_span_id, to_timestamp(from_ms / 1000.0), to_timestamp(to_ms / 1000.0), note,
  clock_timestamp()
from unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::int8[],
  $7::text::float8[], $8::text::float8[], $9::text::text[]) with ordinality
  as s(state, cluster_id, hostname, uuid, mig_prefix, host_span_id, from_ms, to_ms, note, place)
order by place returning id::float8 as id`;
  const rows = await executor.query<{ id: number }>(text, [
    textArray(spans.map(({ state }) => state)),
    textArray(spans.map(({ clusterId }) => clusterId)),
    textArray(spans.map(({ hostname }) => hostname)),
    textArray(spans.map(({ uuid }) => uuid)),
    textArray(spans.map(({ uuid }) => (uuid === "" ? "" : migUuidPrefix(uuid)))),
    numberArray(spans.map(({ hostSpanId = NaN }) => hostSpanId)),
    numberArray(spans.map(({ fromMs }) => fromMs)),
    numberArray(spans.map(({ toMs = NaN }) => toMs)),
    textArray(spans.map(({ note }) => note)),
  ]);
  return rows.map(({ id }) => id);
}

/** A span that has not ended. */
export interface OpenSpan extends InventoryPlace {
  readonly id: number;
  readonly fromMs: number;
}

const ofPlace = `s.uuid = $1 and ($1 <> '' or (s.cluster_id = $2 and s.hostname = $3))`;

/** The decommissioning of a host or device that has neither ended nor been followed by a record. */
export async function selectDecommissioning(
  executor: SqlExecutor,
  { uuid, clusterId, hostname }: InventoryPlace,
): Promise<OpenSpan | undefined> {
  const text = `
select s.id::float8 as id, s.cluster_id as "clusterId", s.hostname, s.uuid, ${msOf("s.from_at")} as "fromMs"
from inventory_spans s left join gpus g on g.uuid = s.uuid
where ${ofPlace} and s.state = 'decommissioned' and s.to_at is null and s.returned_at is null and ${returnOf("s", "g")} is null
order by s.id limit 1`;
  return (await executor.query<OpenSpan>(text, [uuid, clusterId, hostname]))[0];
}

/** Changes the note of a maintenance that was said before: of the same begin, or if it is to begin now, of one that lasts now.
 *  @returns false if no such maintenance ends at the same time */
export async function repeatMaintenance(
  executor: SqlExecutor,
  { uuid, clusterId, hostname, fromMs, toMs, note }: Omit<NewSpan, "state">,
  beginsNow: boolean,
): Promise<boolean> {
  const from = "to_timestamp($4::float8 / 1000.0)";
  const text = `
update inventory_spans s set note = case when $6::text = '' then note else $6 end, changed_at = clock_timestamp()
where ${ofPlace} and state = 'maintenance' and to_at is not distinct from to_timestamp($5::float8 / 1000.0)
  and (from_at = ${from} or ($7::bool and from_at <= ${from} and (to_at is null or to_at > ${from}))) returning 1`;
  const params = [uuid, clusterId, hostname, fromMs, toMs ?? null, note, beginsNow];
  return (await executor.query(text, params)).length > 0;
}

/** Changes the begin of a span and of those of the devices that were decommissioned with it; and the note, unless it is empty. */
export async function moveSpan(
  executor: SqlExecutor,
  { id, fromMs, note }: { readonly id: number; readonly fromMs: number; readonly note: string },
): Promise<void> {
  const text = `
update inventory_spans set from_at = to_timestamp($2::float8 / 1000.0), note = case when $3::text = '' then note else $3 end,
  changed_at = clock_timestamp()
where (id = $1::int8 or host_span_id = $1::int8) and to_at is null and returned_at is null`;
  await executor.query(text, [id, fromMs, note]);
}

/** Ends the spans of a host or device: they end at the instant, and those that would begin then or later are deleted. The
 *  devices that were decommissioned with the host are restored with it; a host is restored with one of these devices. */
export async function endSpans(
  executor: SqlExecutor,
  { uuid, clusterId, hostname }: InventoryPlace,
  { atMs, note }: { readonly atMs: number; readonly note: string },
): Promise<void> {
  const ids = `
with own as (select s.id, s.host_span_id from inventory_spans s where ${ofPlace}),
ended as (
  select id from own union select host_span_id from own where host_span_id is not null
  union select d.id from inventory_spans d join own on d.host_span_id = own.id)`;
  const params = [uuid, clusterId, hostname, atMs];
  const at = "to_timestamp($4::float8 / 1000.0)";
  await executor.query(
    `${ids} delete from inventory_spans where id in (select id from ended) and from_at >= ${at}`,
    params,
  );
  await executor.query(
    `${ids} update inventory_spans set to_at = ${at}, note = case when $5::text = '' then note else $5 end,
  changed_at = clock_timestamp()
where id in (select id from ended) and (to_at is null or to_at > ${at}) and (returned_at is null or returned_at > ${at})`,
    [...params, note],
  );
}

/** Notes, once for each span, that a host or device has reported again although it was decommissioned. */
export async function noteReturned(executor: SqlExecutor): Promise<ReturnedItem[]> {
  const pairs = (condition: string): string =>
    `select s.id, s.state, s.from_at, g.gpu_key, g.last_seen_at from open s join gpus g on ${condition}`;
  const text = `
with open as (select * from inventory_spans where state = 'decommissioned' and to_at is null and returned_at is null),
pairs as (
  ${pairs("g.uuid = s.uuid")}
  union all ${pairs(`s.uuid <> '' and ${migPrefixOf("g.uuid")} = s.mig_prefix`)}
  union all ${pairs("s.uuid = '' and g.cluster_id = s.cluster_id and g.hostname = s.hostname")}),
back as (select id, min(${returnOf("p", "p")}) as at from pairs p group by id)
update inventory_spans s set returned_at = back.at from back where s.id = back.id and back.at is not null and s.returned_at is null
returning s.cluster_id as "clusterId", s.hostname, s.uuid, ${msOf("s.returned_at")} as "returnedAtMs"`;
  const rows = await executor.query<ReturnedItem>(text);
  return rows.map((row) => ({ ...row, returnedAtMs: Math.round(row.returnedAtMs) }));
}
