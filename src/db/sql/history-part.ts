import type { EachGpuFilter, HistoryPage, RecordFilter } from "../../domain/query.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addGpuConditions } from "./gpu-conditions.ts";
import { OwnRows } from "./own-rows.ts";

/** The bounds of the rows that a subquery has to read. */
export type Bounds = Pick<RecordFilter, "range" | "cursor" | "isForward">;

/** The table or subquery from which a part of the history is read. */
export interface HistorySource {
  /** @param own what lies within the caller's bounds; undefined: everything
   *  @returns the name of a table, or a subquery in parentheses; the parameters of the subquery are added to `conditions` */
  readonly from: (conditions: Conditions, bounds: Bounds, own: OwnRows | undefined) => string;
  /** The column with the instant of a row. */
  readonly time: "time" | "bucket";
  /** The condition that a workload with this namespace held the GPU of a row of `t` at the row's instant.
   *  @param namespace the parameter's placeholder */
  readonly hasNamespace: (namespace: string, own: OwnRows | undefined) => string;
  /** The columns to read from `t`, with `"gpuKey"` and `"timeMs"` among them. */
  readonly columns: string;
}

/** The columns that every row of the history has. */
interface HistoryRow {
  readonly gpuKey: number;
  readonly timeMs: number;
}

/** Reads a part of the history, newest first unless `filter.isForward`. */
export async function selectPart<Row extends HistoryRow>(
  executor: SqlExecutor,
  source: HistorySource,
  filter: RecordFilter,
): Promise<HistoryPage<Row>> {
  const { text, params } = partStatement(source, filter);
  return toPage(inWholeMilliseconds(await executor.query<Row>(text, params)), filter.limit);
}

/** Reads the newest rows of each of many GPUs, in any order. */
export async function selectPartOfEach<Row extends HistoryRow>(
  executor: SqlExecutor,
  source: HistorySource,
  filter: EachGpuFilter,
): Promise<Row[]> {
  const { text, params } = eachGpuStatement(source, filter);
  return inWholeMilliseconds(await executor.query<Row>(text, params));
}

/** Rounds the instants: PostgreSQL's seconds times 1000 are not always whole. */
export function inWholeMilliseconds<Row extends HistoryRow>(rows: readonly Row[]): Row[] {
  return rows.map((row) => ({ ...row, timeMs: Math.round(row.timeMs) }));
}

/** A statement with its parameters. */
interface Statement {
  readonly text: string;
  readonly params: readonly unknown[];
}

/** Writes the statement that reads a part of the history, newest first unless `filter.isForward`. It reads one row more
 *  than the part may have: the extra row shows that more rows follow. */
function partStatement(source: HistorySource, filter: RecordFilter): Statement {
  const { gpus, range, cursor, limit } = filter;
  const [past, sort] = filter.isForward === true ? [">", "asc"] : ["<", "desc"];
  const at = `t.${source.time}`;
  const conditions = new Conditions();
  const { uuids, within, ...others } = gpus;
  const own = within && new OwnRows(within, conditions);
  const from = source.from(conditions, filter, own);
  // the primary key yields the rows of a single GPU in the order of their instants
  const isOneGpu = uuids?.length === 1;
  if (isOneGpu) conditions.add("t.gpu_key = (select gpu_key from gpus where uuid = ?)", uuids[0]);
  addGpuConditions(conditions.within(at, range), others, {
    key: "t.gpu_key",
    attribute: (column) => attributeAt(column, at, own),
    hasNamespace: (namespace) => source.hasNamespace(namespace, own),
    isOwn: () => "true", // the source has only own rows
  });
  if (cursor !== undefined) {
    const instant = `to_timestamp(${conditions.param(cursor.timeMs)}::float8 / 1000.0)`;
    conditions.add(`${at} ${past}= ${instant} and (${at} ${past} ${instant} or t.gpu_key ${past} ?)`, cursor.gpuKey);
  }
  const part = `order by ${at} ${sort}, t.gpu_key ${sort} limit ${conditions.param(limit + 1)}`;
  const keys = isOneGpu ? undefined : keysOf(gpus, conditions, own);
  if (keys === undefined) {
    addEverHad(conditions, gpus);
    return {
      text: `select ${source.columns} from ${from} t ${conditions.after("where")} ${part}`,
      params: conditions.params,
    };
  }
  const text = `
select ${source.columns} from (${keys}) k
cross join lateral (
  select * from ${from} t where t.gpu_key = k.gpu_key ${conditions.after("and")} ${part}) t
${part}`;
  return { text, params: conditions.params };
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

/** Writes the statement that reads the newest rows of each of many GPUs, each GPU by the primary key. */
function eachGpuStatement({ from, time, columns }: HistorySource, filter: EachGpuFilter): Statement {
  const { uuids, within, range, limit } = filter;
  const at = `t.${time}`;
  const conditions = new Conditions();
  const source = from(conditions, filter, within && new OwnRows(within, conditions));
  conditions.within(at, range);
  const text = `
select ${columns} from (
  select gpu_key from gpus where uuid = any(${conditions.param(textArray([...new Set(uuids)]))}::text::text[])) k
cross join lateral (
  select * from ${source} t where t.gpu_key = k.gpu_key ${conditions.after("and")}
  order by ${at} desc limit ${conditions.param(limit)}) t`;
  return { text, params: conditions.params };
}

/** An SQL expression for a GPU's attribute at the instant of a row of `t`, or the last one that was own. */
function attributeAt(column: string, at: string, own: OwnRows | undefined): string {
  const isOwn = own === undefined ? "" : ` and ${own.place("a")} and ${own.wasHeldBy("t.gpu_key", at)}`;
  return `(select a.${column} from gpu_attributes a where a.gpu_key = t.gpu_key and a.valid_from <= ${at}${isOwn}
    order by a.valid_from desc limit 1)`;
}

/** @param rows in the statement's order; if more rows follow, one more than `limit` */
function toPage<Row extends HistoryRow>(rows: readonly Row[], limit: number): HistoryPage<Row> {
  const elements = rows.slice(0, limit);
  const last = elements.at(-1);
  const next = rows.length > limit && last !== undefined ? { timeMs: last.timeMs, gpuKey: last.gpuKey } : undefined;
  return { elements, next };
}
