import type { EachGpuFilter, HistoryPage, RecordFilter } from "../../domain/query.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";

/** What a part of the history is read from. */
export interface HistorySource {
  /** A table, or a subquery in brackets; takes parameters of its own from the conditions. */
  readonly from: (conditions: Conditions) => string;
  /** The column with the instant. */
  readonly time: "time" | "bucket";
  /** The namespace that held the GPU of a row of `t` at its instant, empty for none. */
  readonly namespace: string;
  /** What is read, of `t`; `"gpuKey"` and `"timeMs"` among them. */
  readonly columns: string;
}

/** Writes the statement that reads a part of the history, newest first unless it goes forward: one row more than the part may have, so that it
 *  shows whether there are older ones. */
export function partStatement(
  { from, time, namespace: namespaceAt, columns }: HistorySource,
  filter: RecordFilter,
): { readonly text: string; readonly params: readonly unknown[] } {
  const { uuid, clusterId, hostname, modelName, namespace, startMs, endMs, cursor, limit } = filter;
  const [past, sort] = filter.isForward === true ? [">", "asc"] : ["<", "desc"];
  const at = `t.${time}`;
  const conditions = new Conditions();
  const source = from(conditions);
  conditions
    .add("t.gpu_key = (select gpu_key from gpus where uuid = ?)", uuid)
    .add(`${at} >= to_timestamp(?::float8 / 1000.0)`, startMs)
    .add(`${at} <= to_timestamp(?::float8 / 1000.0)`, endMs)
    .add(`${attributeAt("cluster_id", at)} = ?`, clusterId)
    .add(`${attributeAt("hostname", at)} = ?`, hostname)
    .add(`${attributeAt("model_name", at)} = ?`, modelName)
    .add(`${namespaceAt} = ?`, namespace)
    .add(`${at} ${past}= to_timestamp(?::float8 / 1000.0)`, cursor?.timeMs);
  if (cursor !== undefined) {
    conditions.add(
      `(${at} ${past} to_timestamp(${conditions.param(cursor.timeMs)}::float8 / 1000.0) or t.gpu_key ${past} ?)`,
      cursor.gpuKey,
    );
  }
  const rows = conditions.param(limit + 1);
  const part = `order by ${at} ${sort}, t.gpu_key ${sort} limit ${rows}`;
  if (hostname === undefined) {
    return {
      text: `select ${columns} from ${source} t ${conditions.after("where")} ${part}`,
      params: conditions.params,
    };
  }
  // the few GPUs of a host each by its own index, instead of everybody's records back to the last one of the host
  const text = `
select ${columns} from (select distinct gpu_key from gpu_attributes where hostname = ${conditions.param(hostname)}) k
cross join lateral (
  select * from ${source} t where t.gpu_key = k.gpu_key ${conditions.after("and")} ${part}) t
${part}`;
  return { text, params: conditions.params };
}

/** Writes the statement that reads the newest of each of many GPUs, each by its own index. */
export function eachGpuStatement(
  { from, time, columns }: HistorySource,
  { uuids, startMs, endMs, limit }: EachGpuFilter,
): { readonly text: string; readonly params: readonly unknown[] } {
  const at = `t.${time}`;
  const conditions = new Conditions();
  const source = from(conditions);
  conditions
    .add(`${at} >= to_timestamp(?::float8 / 1000.0)`, startMs)
    .add(`${at} <= to_timestamp(?::float8 / 1000.0)`, endMs);
  const text = `
select ${columns} from (
  select gpu_key from gpus where uuid = any(${conditions.param(textArray([...new Set(uuids)]))}::text::text[])) k
cross join lateral (
  select * from ${source} t where t.gpu_key = k.gpu_key ${conditions.after("and")}
  order by ${at} desc limit ${conditions.param(limit)}) t`;
  return { text, params: conditions.params };
}

/** A GPU's attribute at the instant of a row of `t`. */
function attributeAt(column: "cluster_id" | "hostname" | "model_name", at: string): string {
  return `(select a.${column} from gpu_attributes a where a.gpu_key = t.gpu_key and a.valid_from <= ${at}
    order by a.valid_from desc limit 1)`;
}

/** @param rows in the statement's order, one more than the part may have where there are more */
export function toPage<Row extends { readonly gpuKey: number; readonly timeMs: number }>(
  rows: readonly Row[],
  limit: number,
): HistoryPage<Row> {
  const elements = rows.slice(0, limit);
  const last = elements.at(-1);
  const next = rows.length > limit && last !== undefined ? { timeMs: last.timeMs, gpuKey: last.gpuKey } : undefined;
  return { elements, next };
}
