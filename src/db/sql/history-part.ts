import type { HistoryPage, RecordFilter } from "../../domain/query.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addGpuConditions } from "./gpu-conditions.ts";
import { OwnRows } from "./own-rows.ts";
import { hasNamespace } from "./stored-occupants.ts";

/** A statement, and its parameters, to which others may be added. */
interface OpenStatement {
  readonly text: string;
  readonly conditions: Conditions;
}

/** Rows of telemetry, or own ones. They are tried one after another, because a page has few of them. */
export function telemetryRows(own: OwnRows | undefined): string {
  return own === undefined ? "telemetry" : `(select r.* from telemetry r where ${own.record("r")})`;
}

/** Writes the statement that reads the rows of telemetry of a part of the history, newest first unless `filter.isForward`. It reads one row more
 *  than the part may have: the extra row shows that more rows follow.
 *  @param key an expression for the key of the filter's only GPU; absent: the statement looks it up */
export function partStatement(filter: RecordFilter, key?: string): OpenStatement {
  const { gpus, range, cursor, limit } = filter;
  const [past, sort] = filter.isForward === true ? [">", "asc"] : ["<", "desc"];
  const conditions = new Conditions();
  const { uuids, within, ...others } = gpus;
  const own = within && new OwnRows(within, conditions);
  const from = telemetryRows(own);
  const isOneGpu = uuids?.length === 1;
  if (key !== undefined) conditions.addText(`t.gpu_key = ${key}`);
  else if (isOneGpu) conditions.add("t.gpu_key = (select gpu_key from gpus where uuid = ?)", uuids[0]);
  addGpuConditions(conditions.within("t.time", range), others, {
    key: "t.gpu_key",
    attribute: (column) => attributeAt(column, "t.time", own),
    hasNamespace: (name) => `(coalesce(t.namespace, '') = ${name}::text or ${hasNamespace("t.occupants", name)})`,
    isOwn: () => "true", // there are only own rows
  });
  if (cursor !== undefined) {
    const instant = `to_timestamp(${conditions.param(cursor.timeMs)}::float8 / 1000.0)`;
    conditions.add(`t.time ${past}= ${instant} and (t.time ${past} ${instant} or t.gpu_key ${past} ?)`, cursor.gpuKey);
  }
  // the primary key yields the rows of a single GPU in the order of their instants: with the key in the order, they would be sorted
  const order = isOneGpu ? `t.time ${sort}` : `t.time ${sort}, t.gpu_key ${sort}`;
  const part = `order by ${order} limit ${conditions.param(limit + 1)}`;
  const keys = isOneGpu ? undefined : keysOf(gpus, conditions, own);
  if (keys === undefined) {
    addEverHad(conditions, gpus);
    return { text: `select t.* from ${from} t ${conditions.after("where")} ${part}`, conditions };
  }
  const text = `
select t.* from (${keys}) k
cross join lateral (
  select * from ${from} t where t.gpu_key = k.gpu_key ${conditions.after("and")} ${part}) t
${part}`;
  return { text, conditions };
}

/** Adds the condition that there was ever a GPU with the attributes. It is read once, before any row: a search for attributes that no GPU
 *  ever had would look them up for each row of the history. */
function addEverHad(conditions: Conditions, { clusterId, gpuId, modelName }: GpuSelector): void {
  const had = new Conditions(conditions.params)
    .add("cluster_id = ?", clusterId)
    .add("gpu_id = ?", gpuId)
    .add("model_name = ?", modelName);
  if (!had.isEmpty) conditions.addText(`exists (select from gpu_attributes ${had.after("where")})`);
}

/** A query for the keys of the GPUs that may be selected; undefined if the selector has neither uuids nor hosts, and thus
 *  may select many GPUs. With the keys, the records of each GPU are read by the primary key. A scan by time would read the
 *  records of all GPUs until it has found enough records of the selected GPUs. */
function keysOf(
  { uuids, hostname, within }: GpuSelector,
  conditions: Conditions,
  own: OwnRows | undefined,
): string | undefined {
  if (uuids !== undefined) {
    return `select gpu_key from gpus where uuid = any(${conditions.param(textArray(uuids))}::text::text[])`;
  }
  if (hostname !== undefined) {
    return `select distinct gpu_key from gpu_attributes where hostname = ${conditions.param(hostname)}`;
  }
  if (own === undefined || within?.hosts === undefined) return undefined;
  return `select distinct gpu_key from gpu_attributes where ${own.place("gpu_attributes")}`;
}

/** An SQL expression for a GPU's attribute at the instant of a row of `t`, or the last one that was own. */
export function attributeAt(column: string, at: string, own: OwnRows | undefined): string {
  const isOwn = own === undefined ? "" : ` and ${own.place("a")} and ${own.wasHeldBy("t.gpu_key", at)}`;
  return `(select a.${column} from gpu_attributes a where a.gpu_key = t.gpu_key and a.valid_from <= ${at}${isOwn}
    order by a.valid_from desc limit 1)`;
}

/** @param rows in the statement's order; if more rows follow, one more than `limit` */
export function toPage<Row extends { readonly gpuKey: number; readonly timeMs: number }>(
  rows: readonly Row[],
  limit: number,
): HistoryPage<Row> {
  const elements = rows.slice(0, limit);
  const last = elements.at(-1);
  const next = rows.length > limit && last !== undefined ? { timeMs: last.timeMs, gpuKey: last.gpuKey } : undefined;
  return { elements, next };
}
