import type { SqlExecutor } from "../../../../db/client.ts";
import { toPage } from "../../../../db/sql/history-part.ts";
import { blocksOfGpu, type FirstWindow, selectFirstWindow } from "../../../../db/sql/first-window.ts";
import { selectWindow } from "../../../../db/sql/history-window.ts";
import { matchingPlaces, type RecordPlace, restrictsPlaces } from "../../../../db/sql/matching-places.ts";
import type { KnownPlaces } from "../../../../db/sql/select-places.ts";
import type { RecordRow } from "../../../../db/sql/select-records.ts";
import { type BlockOfGpu, type SentColumns, wholeBlock } from "../../../../db/sql/sent-blocks.ts";
import { type GpuSelector, restrictsHolders } from "../../../../domain/gpu-selector.ts";
import type { HistoryPage, RecordFilter } from "../../../../domain/query.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import { sorted } from "../../../../kit/sorted.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import { type BlockPlace, BlockPlaces, boundsAfter, byPlace, candidatesOf } from "./block-places.ts";
import { recordsAt, type WholeRecord } from "./block-records.ts";
import { partsOfBlocks } from "./history-part.ts";

/** Windows grow, for GPUs that have few records an hour, and for filters that few records match. */
const growth = 4;
/** Without values, they take about 2 MB as they travel, and 8 MB decoded; with values, ten times as much. */
const blocksPerWindowMax = 4096;
const wholeBlocksPerWindowMax = 256;

/** Decoded blocks in memory that may have none of the page's records. */
const blocksAtATime = 256;

/** A record of a page: a row, or one in a block, whose values may still have to be read. */
type Found = RecordRow | BlockPlace;

/** A page, and what was read with it. */
interface ReadPage extends HistoryPage<RecordRow | WholeRecord> {
  /** The places of its GPU; undefined unless the filter is about one GPU, without bounds. */
  readonly places: KnownPlaces | undefined;
}

/** Reads a page of the history, newest first unless `filter.isForward`, from rows and blocks. It reads window by window, each from one
 *  snapshot, until the page is full.
 *  @throws UndecodableBlock, and the errors of the executor */
export async function readRecordPage(executor: SqlExecutor, filter: RecordFilter): Promise<ReadPage> {
  const isForward = filter.isForward === true;
  const isOneGpu = filter.gpus.uuids?.length === 1;
  const uuid = isOneGpu && filter.gpus.parentUuid === undefined ? filter.gpus.uuids?.[0] : undefined;
  const order = isForward ? byPlace : (a: RecordPlace, b: RecordPlace) => byPlace(b, a);
  let found: Found[] = [];
  let left = filter;
  let places: KnownPlaces | undefined;
  let count = isOneGpu ? blocksOfGpu : 1;
  // of a fleet, most blocks of an hour have no record of the first page
  let isShortened = !isOneGpu && !restrictsHolders(filter.gpus);
  // one more shows that another page follows
  for (let missing = filter.limit + 1; missing > 0; missing = filter.limit + 1 - found.length) {
    const records = isShortened ? missing : undefined;
    // few blocks: their values travel with them
    const isSmall = isOneGpu || (records !== undefined && records <= wholeBlocksPerWindowMax && isAtEnd(filter));
    const columns = isSmall ? wholeBlock : instantsOf(filter.gpus);
    const window: FirstWindow =
      left === filter && uuid !== undefined
        ? await selectFirstWindow(executor, filter, uuid)
        : await selectWindow(executor, { ...left, limit: missing - 1 }, { count, columns, records });
    places ??= window.places;
    const isPartial = records !== undefined && window.blocks.length >= records;
    const { edgeMs } = window;
    const range = edgeMs === undefined ? left.range : inside(left.range, edgeMs, isForward);
    const rows = window.rows.filter(({ timeMs }) => timeMs >= range.fromMs && timeMs < range.toMs);
    const wanted = { ...left, range, limit: missing, isPartial, columns, isWhole: isSmall };
    const settled = await firstPlaces(executor, wanted, window.blocks);
    isShortened = false;
    // the other blocks may have some of the records
    if (isPartial && settled.length < missing) continue;
    // each of the two lists is in order
    const first = rows.length === 0 ? settled : sorted([...rows, ...settled], order).slice(0, missing);
    found = found.concat(first);
    if (edgeMs === undefined) break;
    left = beyond(left, edgeMs);
    if (left.range.fromMs >= left.range.toMs) break;
    count = Math.min(
      isOneGpu ? wholeBlocksPerWindowMax : blocksPerWindowMax,
      Math.max(count, window.blocks.length) * growth,
    );
  }
  const { elements, next } = toPage(found, filter.limit);
  return { elements: await withValues(executor, elements), next, places };
}

/** True if no block is across the beginning of a page. */
function isAtEnd({ range, cursor, isForward = false }: RecordFilter): boolean {
  return cursor === undefined && !Number.isFinite(isForward ? range.fromMs : range.toMs);
}

/** What to read of blocks to find the places of records. */
function instantsOf(gpus: GpuSelector): SentColumns {
  return { metrics: [], withOthers: false, withRuns: restrictsHolders(gpus) };
}

function inside({ fromMs, toMs }: TimeRange, edgeMs: number, isForward: boolean): TimeRange {
  return isForward ? { fromMs, toMs: Math.min(toMs, edgeMs) } : { fromMs: Math.max(fromMs, edgeMs), toMs };
}

/** What is left of a filter beyond a window; the cursor is within the window. */
function beyond({ gpus, range, isForward = false, limit }: RecordFilter, edgeMs: number): RecordFilter {
  const { fromMs, toMs } = range;
  return { gpus, isForward, limit, range: isForward ? { fromMs: edgeMs, toMs } : { fromMs, toMs: edgeMs } };
}

interface FirstPlaces extends RecordFilter {
  /** True: only the first `limit` records of the blocks are known to come before those of all other blocks. */
  readonly isPartial: boolean;
  readonly columns: SentColumns;
  /** True: they are all columns. */
  readonly isWhole: boolean;
}

/** The first `wanted.limit` records of blocks that match a filter, in the order of the page; fewer if no more are known. */
async function firstPlaces(
  executor: SqlExecutor,
  wanted: FirstPlaces,
  blocks: readonly BlockOfGpu[],
): Promise<BlockPlace[]> {
  const { gpus, limit, isPartial } = wanted;
  const isExact = isPartial || !restrictsPlaces(gpus);
  const places = await placesIn(blocks, wanted, isExact ? limit : undefined);
  if (isExact) {
    const taken = places.take(limit);
    const some = taken.length > limit ? taken.slice(0, limit) : taken;
    return restrictsPlaces(gpus) ? matchingPlaces(executor, gpus, some) : some;
  }
  const first: BlockPlace[] = [];
  // most filters match most records of the blocks
  for (let count = limit; first.length < limit; count *= growth) {
    const some = places.take(count);
    if (some.length === 0) break;
    first.push(...(await matchingPlaces(executor, gpus, some)));
  }
  return first.slice(0, limit);
}

/** The places of the records of blocks that may match a filter.
 *  @param count the number of those that are needed; undefined: all */
async function placesIn(
  blocks: readonly BlockOfGpu[],
  { gpus, cursor, range, isForward = false, columns, isWhole }: FirstPlaces,
  count: number | undefined,
): Promise<BlockPlaces> {
  const places = new BlockPlaces(isForward, isWhole);
  for (let from = 0; from < blocks.length; from += blocksAtATime) {
    if (from > 0) await turnOfOthers();
    const parts = await partsOfBlocks(blocks.slice(from, from + blocksAtATime), columns.metrics, range);
    places.add(parts.map((part) => candidatesOf(part, gpus, boundsAfter(part, cursor, isForward))));
    if (count !== undefined && blocks.length > blocksAtATime) places.keep(count);
  }
  return places;
}

/** Reads the values of the records whose blocks came without. */
async function withValues(
  executor: SqlExecutor,
  found: readonly Found[],
): Promise<readonly (RecordRow | WholeRecord)[]> {
  if (found.every(hasValues)) return found;
  const rows = await recordsAt(
    executor,
    found.filter((record) => !hasValues(record)),
  );
  const byPlaces = new Map(rows.map((row) => [`${row.gpuKey} ${row.timeMs}`, row]));
  return found.flatMap((record) =>
    hasValues(record) ? record : (byPlaces.get(`${record.gpuKey} ${record.timeMs}`) ?? []),
  );
}

function hasValues(record: Found): record is RecordRow | WholeRecord {
  return !("part" in record) || record.isWhole;
}
