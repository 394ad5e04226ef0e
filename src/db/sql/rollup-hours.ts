import { hourMs, hourOf, type TimeRange } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { numberArray } from "./array-literal.ts";
import { epochMs } from "./epoch-ms.ts";
import { field, JoinedRows, joinedRows } from "./joined-rows.ts";
import { hoursWithRows, withinRange } from "./hours-with-rows.ts";

/** What to read of the rollups. */
export interface WantedRollups {
  /** Whole hours (UTC). */
  readonly range: TimeRange;
  /** Ascending; undefined: those of all GPUs. */
  readonly gpuKeys: readonly number[] | undefined;
  /** Names of the catalogue. */
  readonly metrics: readonly string[];
  /** True: also the holders. */
  readonly withHolders: boolean;
}

/** A row of `rollups` that may have entries of the GPUs. It also has a `Uint8Array | null` for each metric. */
export interface RollupsOfHour {
  readonly hour: number;
  readonly firstKey: number;
  readonly entries: number;
  /** Null: as in the row before it that has the same first key. Rows are in the order of hours. */
  readonly keys: Uint8Array | null;
  /** Null if they were not wanted; so are the names. */
  readonly holders: Uint8Array | null;
  readonly holderNames: string | null;
  readonly records: Uint8Array;
}

/** An hour for which the rollups do not have all: `stale`, those of the GPU do not count; `rows`, some GPUs have records that are not
 *  settled. */
export interface OpenHour {
  readonly kind: "stale" | "rows";
  readonly hour: number;
  /** Null for `rows`. */
  readonly gpuKey: number | null;
}

/** Reads rollups, and what they do not have, by one statement, and so from one snapshot. */
export async function selectRollupHours(
  executor: SqlExecutor,
  wanted: WantedRollups,
): Promise<{ readonly rollups: readonly RollupsOfHour[]; readonly open: readonly OpenHour[] }> {
  const { range, gpuKeys, metrics, withHolders } = wanted;
  const ofGpus =
    gpuKeys === undefined
      ? ""
      : "and exists (select from unnest($3::text::int8[]) k where k between r.first_key and r.last_key)";
  const sent = joinedRows([
    ...[epochMs("r.from_at"), "r.first_key"].map(field.float8),
    ...[field.int4("r.entries"), field.bytea("r.new_keys")],
    ...(withHolders ? [field.bytea("r.holders"), field.text("r.holder_names::text")] : []),
    ...["r.records", ...metrics.map((name) => `r."${name}"`)].map(field.bytea),
  ]);
  const text = `
select 'rollups' as kind, null::float8 as hour, null::float8 as "gpuKey", ${sent} as sent from (
  select r.*, case when r.keys is distinct from lag(r.keys) over w then r.keys end as new_keys
  from rollups r where ${withinRange("r.from_at")} ${ofGpus} window w as (partition by r.first_key order by r.from_at) order by r.from_at) r
union all
select 'stale', ${epochMs("u.hour")}, u.gpu_key::float8, null from unsettled u where ${withinRange("u.hour")}
union all
select 'rows', ${epochMs("h.hour")}, null, null from (${hoursWithRows("telemetry", "time")}) h
order by hour`;
  const params = [range.fromMs, range.toMs, ...(gpuKeys === undefined ? [] : [numberArray(gpuKeys)])];
  const rows = await executor.query<OpenHour | SentRollups>(text, params);
  return {
    rollups: rows.flatMap((row) => (row.kind === "rollups" && row.sent !== null ? rollupsOf(row.sent, wanted) : [])),
    open: rows.filter((row) => row.kind !== "rollups"),
  };
}

/** All rollups as one value; null if there are none. */
interface SentRollups {
  readonly kind: "rollups";
  readonly sent: Uint8Array | null;
}

function rollupsOf(sent: Uint8Array, { metrics, withHolders }: WantedRollups): RollupsOfHour[] {
  const rollups: RollupsOfHour[] = [];
  for (const rows = new JoinedRows(sent); rows.next();) {
    const rollup: RollupsOfHour & Record<string, unknown> = {
      hour: rows.float8(),
      firstKey: rows.float8(),
      entries: rows.int4(),
      keys: rows.bytea(),
      holders: withHolders ? rows.bytea() : null,
      holderNames: withHolders ? rows.text() : null,
      records: rows.bytea() as Uint8Array,
    };
    for (const name of metrics) rollup[name] = rows.bytea();
    rollups.push(rollup);
  }
  return rollups;
}

/** Reads the hours (UTC) from the first to the last one with records or rollups; undefined if there are none. */
export async function selectRollupExtent(executor: SqlExecutor): Promise<TimeRange | undefined> {
  const text = `
select ${epochMs(`least(${["telemetry", "blocks", "rollups"].map((table) => ends("min", table)).join()})`)} as "fromMs",
  ${epochMs(`greatest(${["telemetry", "blocks", "rollups"].map((table) => ends("max", table)).join()})`)} as "toMs"`;
  const [extent] = await executor.query<{ fromMs: number | null; toMs: number | null }>(text);
  const { fromMs = null, toMs = null } = extent ?? {};
  if (fromMs === null || toMs === null) return undefined;
  return { fromMs: hourOf(fromMs), toMs: hourOf(toMs) + hourMs };
}

function ends(which: "min" | "max", table: string): string {
  return `(select ${which}(${table === "telemetry" ? "time" : "from_at"}) from ${table})`;
}
