import { metricNames } from "../../domain/metrics.ts";
import type { RecordFilter } from "../../domain/query.ts";
import { hourMs } from "../../domain/time-range.ts";
import type { SqlExecutor } from "../client.ts";
import { Conditions } from "./conditions.ts";
import { partStatement } from "./history-part.ts";
import { addBounds, addRunConditions, type HistoryWindow, selectWindow } from "./history-window.ts";
import { type KnownPlaces, readSentPlaces, sentPlaces } from "./select-places.ts";
import { joinedRecords, readJoinedRecords } from "./sent-records.ts";
import { type BlockOfGpu, joinedBlocks, readJoinedBlocks, wholeBlock } from "./sent-blocks.ts";

/** As many blocks of one GPU as have the records of most pages: the newest one often has only the last few records, and those before it
 *  those of an hour each. */
export const blocksOfGpu = 4;

/** The first window of a page of one GPU. */
export interface FirstWindow extends HistoryWindow {
  /** The newest places of the GPU, also when reading forward. Absent or undefined: they have to be read. */
  readonly places?: KnownPlaces | undefined;
}

/** The only row of the answer. The answer about a GPU that does not exist has no row. */
interface FirstRow {
  readonly rows: Uint8Array | null;
  readonly blocks: Uint8Array | null;
  readonly places: Uint8Array | null;
}

/** Reads the rows, the whole blocks and the places of one GPU for the first records of a page, by a statement that is as short as
 *  possible: what it costs is mostly that the database begins and ends each of its parts.
 *  @param uuid the only one of the filter, which names no other device */
export async function selectFirstWindow(
  executor: SqlExecutor,
  filter: RecordFilter,
  uuid: string,
): Promise<FirstWindow> {
  const { text, params } = statementOf(filter, uuid);
  const [read] = await executor.query<FirstRow>(text, params);
  const sent = readJoinedBlocks(read?.blocks ?? null, metricNames);
  const known = sent.length < blocksOfGpu ? sent : withoutLastHour(sent);
  if (sent.length > 0 && known.length === 0) {
    // another snapshot, which may have newer places
    return selectWindow(executor, filter, { count: blocksOfGpu, columns: wholeBlock, records: undefined });
  }
  const places = read?.places ? readSentPlaces(read.places, uuid) : undefined;
  return { rows: readJoinedRecords(read?.rows ?? null), ...nearest(known, filter), places };
}

function statementOf(
  filter: RecordFilter,
  uuid: string,
): { readonly text: string; readonly params: readonly unknown[] } {
  const { gpus, range, cursor, isForward = false } = filter;
  const { text: rows, conditions: more } = partStatement(filter, "g.gpu_key");
  const conditions = new Conditions(more.params).addText("b.gpu_key = g.gpu_key");
  addBounds(conditions, filter);
  addRunConditions(conditions, gpus);
  // not beyond the last of the rows if these are enough
  const [end, farthest] = isForward ? ["b.from_at <=", "max"] : ["b.to_at >=", "min"];
  const isFull = `count(*) > ${conditions.param(filter.limit)}`;
  conditions.addText(`coalesce(${end} (select ${farthest}(time) from r having ${isFull}), true)`);
  const untilMs = isForward || cursor === undefined ? range.toMs : Math.min(range.toMs, cursor.timeMs + 1);
  const text = `
select w.* from gpus g cross join lateral (
  with r as materialized (${rows})
  select
    (select ${joinedRecords} from r t) as rows,
    (select ${joinedBlocks(wholeBlock)} from (
      select * from blocks b ${conditions.after("where")} order by b.from_at ${isForward ? "asc" : "desc"} limit ${blocksOfGpu}) b) as blocks,
    ${gpus.within === undefined ? sentPlaces("g.gpu_key", untilMs, conditions) : "null::bytea"} as places) w
where g.uuid = ${conditions.param(uuid)}`;
  return { text, params: conditions.params };
}

/** The blocks without those of the last hour, which may have more blocks than were read. */
function withoutLastHour(blocks: readonly BlockOfGpu[]): readonly BlockOfGpu[] {
  const last = hourOf(blocks.at(-1) as BlockOfGpu);
  return blocks.filter((block) => hourOf(block) !== last);
}

/** The blocks of the hours that have as many records as the page, and the edge of the window.
 *  @param blocks in the order of the page */
function nearest(
  blocks: readonly BlockOfGpu[],
  { limit, isForward = false }: RecordFilter,
): Pick<HistoryWindow, "blocks" | "edgeMs"> {
  let hour: number | undefined;
  let count = 0;
  let records = 0;
  for (const block of blocks) {
    if (records > limit && hourOf(block) !== hour) break;
    hour = hourOf(block);
    count += 1;
    records += block.records;
  }
  const edgeMs = hour === undefined ? undefined : (isForward ? hour + 1 : hour) * hourMs;
  return { blocks: blocks.slice(0, count), edgeMs };
}

/** The hours from the epoch to that of a block. */
function hourOf({ fromMs }: BlockOfGpu): number {
  return Math.floor(fromMs / hourMs);
}
