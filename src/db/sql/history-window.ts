import type { RecordFilter } from "../../domain/query.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { textArray } from "./array-literal.ts";
import { Conditions } from "./conditions.ts";
import { addAttributeConditions, addPlaceConditions } from "./gpu-conditions.ts";
import { partStatement } from "./history-part.ts";
import { OwnRows } from "./own-rows.ts";
import { epochMs } from "./epoch-ms.ts";
import { bucketOf } from "./rollup-source.ts";
import type { RecordRow } from "./select-records.ts";
import { joinedRecords, readJoinedRecords } from "./sent-records.ts";
import { type BlockOfGpu, joinedBlocks, readJoinedBlocks, type SentColumns } from "./sent-blocks.ts";

/** A part of the history: what a filter selects between its newest record (its oldest when reading forward) and the beginning (the end)
 *  of an hour. */
export interface HistoryWindow {
  /** Of the rows that match the filter, the newest `limit + 1`, or the oldest when reading forward. Those beyond the window may
   *  be in blocks meanwhile, or between records that are. */
  readonly rows: readonly RecordRow[];
  /** The blocks in the window that may have records of the same page. Their records are still to be filtered. */
  readonly blocks: readonly BlockOfGpu[];
  /** The edge of the window: the first instant of its oldest hour, or the end of its newest one when reading forward. Undefined: there
   *  are no blocks, and the rows are all that the filter selects. */
  readonly edgeMs: number | undefined;
}

/** How many blocks to read, and which of their columns. */
export interface WindowBlocks {
  /** The window has all hours of so many of the newest blocks (the oldest when reading forward). */
  readonly count: number;
  readonly columns: SentColumns;
  /** The window has only those of their blocks that can have the first so many records of a page that selects all of their records:
   *  those across its beginning, and of the others so many, by their first records in the order of the page. Undefined: all of them. */
  readonly records: number | undefined;
}

/** The only row of the answer. */
interface WindowRow {
  readonly rows: Uint8Array | null;
  readonly blocks: Uint8Array | null;
  readonly edgeMs: number | null;
}

/** Reads the rows and the blocks of a page by one statement, and so from one snapshot: an hour that is being settled is in one of the
 *  two. */
export async function selectWindow(
  executor: SqlExecutor,
  filter: RecordFilter,
  blocks: WindowBlocks,
): Promise<HistoryWindow> {
  const { text, params } = windowStatement(filter, blocks);
  const [read] = await executor.query<WindowRow>(text, params);
  const settled = readJoinedBlocks(read?.blocks ?? null, blocks.columns.metrics);
  return {
    rows: readJoinedRecords(read?.rows ?? null),
    blocks: settled,
    edgeMs: settled.length === 0 ? undefined : (read?.edgeMs ?? undefined),
  };
}

function windowStatement(
  filter: RecordFilter,
  { count, columns, records }: WindowBlocks,
): { readonly text: string; readonly params: readonly unknown[] } {
  const isForward = filter.isForward === true;
  const [sort, farthest] = isForward ? ["asc", "max"] : ["desc", "min"];
  const { text: rows, conditions: more } = partStatement(filter);
  const conditions = new Conditions(more.params);
  const keys = keysOfBlocks(filter.gpus, conditions);
  addBounds(conditions, filter);
  addRunConditions(conditions, filter.gpus);
  const max = conditions.param(count);
  const isFull = `count(*) > ${conditions.param(filter.limit)}`;
  const newest = `order by b.from_at ${sort} limit ${max}`;
  const counted = `select b.from_at from (${blocksBy(keys, conditions.after("and"), newest)}) b ${newest}`;
  // not beyond the window, nor beyond the last of the rows if these are enough
  const isNear = isForward
    ? "b.from_at < w.edge and coalesce(b.from_at <= (select at from last_row), true)"
    : "b.from_at >= w.edge and coalesce(b.to_at >= (select at from last_row), true)";
  const near = blocksBy(keys, `${conditions.after("and")} and ${isNear}`, "offset 0");
  const text = `
with r as materialized (${rows}),
last_row as (select to_timestamp(round(${epochMs(`${farthest}(time)`)}) / 1000.0) as at from r having ${isFull}),
w as (
  select ${bucketOf("1h", `${farthest}(n.from_at)`)}${isForward ? " + interval '1 hour'" : ""} as edge
  from (${counted}) n)
select
  (select ${joinedRecords} from r t) as rows,
  (select ${joinedBlocks(columns)}
   from w cross join lateral (${records === undefined ? near : firstOf(near, { ...filter, limit: records }, conditions)}) b) as blocks,
  (select ${epochMs("edge")} from w) as "edgeMs"`;
  return { text, params: conditions.params };
}

/** A query for blocks: each of few GPUs by the primary key, many of them by time. */
function blocksBy(keys: KeysOfBlocks, conditions: string, order: string): string {
  if (!keys.areFew) return `select b.* from blocks b where ${keys.text} ${conditions} ${order}`;
  return `select b.* from (${keys.text}) k cross join lateral (
  select * from blocks b where b.gpu_key = k.gpu_key ${conditions} ${order}) b`;
}

/** Leaves out the blocks that cannot have one of the first `filter.limit` records. */
function firstOf(blocks: string, { range, cursor, isForward = false, limit }: RecordFilter, conditions: Conditions) {
  const beginMs = isForward
    ? Math.max(range.fromMs, cursor?.timeMs ?? -Infinity)
    : Math.min(range.toMs, cursor?.timeMs ?? Infinity);
  const [end, sort] = isForward ? ["c.from_at", "asc"] : ["c.to_at", "desc"];
  const order = `order by floor(${epochMs(end)} + 0.5) ${sort}, c.gpu_key ${sort} limit ${conditions.param(limit)}`;
  if (!Number.isFinite(beginMs)) return `select * from (${blocks}) c ${order}`;
  // the order is by whole milliseconds
  const [past, nearMs] = isForward ? ["<=", beginMs + 1] : [">=", beginMs - 1];
  const isAcross = `${end} ${past} to_timestamp(${conditions.param(nearMs)}::float8 / 1000.0)`;
  return `
  select * from (${blocks}) c where ${isAcross}
  union all (select * from (${blocks}) c where not ${isAcross} ${order})`;
}

/** The span that a block must overlap: that of the range and the cursor. */
export function addBounds(conditions: Conditions, { range, cursor, isForward }: RecordFilter): void {
  const fromMs = isForward === true ? Math.max(range.fromMs, cursor?.timeMs ?? -Infinity) : range.fromMs;
  const toMs =
    isForward === true ? range.toMs : Math.min(range.toMs, cursor === undefined ? Infinity : cursor.timeMs + 1);
  conditions.within("b.from_at", { fromMs: fromMs - hourMs, toMs }).within("b.to_at", { fromMs, toMs: Infinity });
}

/** Leaves out blocks that cannot have records of a namespace. Its name is in `runs` as `packBlock` has written it. */
export function addRunConditions(conditions: Conditions, { namespace, within }: GpuSelector): void {
  if (namespace !== undefined && namespace !== "") {
    conditions.add("strpos(b.runs::text, ?) > 0", JSON.stringify(namespace));
  }
  if (within?.namespaces === undefined) return;
  const names = within.namespaces.map((name) => JSON.stringify(name));
  conditions.add(
    "exists (select from unnest(?::text::text[]) as own_n(name) where strpos(b.runs::text, own_n.name) > 0)",
    textArray(names),
  );
}

interface KeysOfBlocks {
  readonly areFew: boolean;
  /** Few: a query for the keys. Many: a condition on `b`. */
  readonly text: string;
}

/** The GPUs that may be selected: all that a record of the filter can be of, and others. */
function keysOfBlocks(selector: GpuSelector, conditions: Conditions): KeysOfBlocks {
  const { uuids, parentUuid, hostname, within } = selector;
  const named = new Conditions(conditions.params);
  if (uuids?.length === 1 && parentUuid === undefined) {
    return { areFew: true, text: `select gpu_key from gpus ${named.add("uuid = ?", uuids[0]).after("where")}` };
  }
  if (uuids !== undefined || parentUuid !== undefined) {
    const names = { ...(uuids && { uuids }), ...(parentUuid !== undefined && { parentUuid }) };
    addAttributeConditions(named, names, { key: "gpus.gpu_key", attribute: (column) => column });
    return { areFew: true, text: `select gpu_key from gpus ${named.after("where")}` };
  }
  addPlaceConditions(named, selector, (column) => column);
  const own = within && new OwnRows(within, conditions);
  if (own?.restrictsPlaces === true) named.addText(own.place("gpu_attributes"));
  if (named.isEmpty) return { areFew: false, text: "true" };
  const had = `from gpu_attributes ${named.after("where")}`;
  const areFew = hostname !== undefined || within?.hosts !== undefined;
  if (areFew) return { areFew, text: `select distinct gpu_key ${had}` };
  // no block is read for what no GPU ever had
  return { areFew, text: `exists (select ${had}) and b.gpu_key = any(array(select gpu_key ${had}))` };
}
