import type { SqlExecutor } from "../../../../db/client.ts";
import { matchingPlaces, restrictsPlaces } from "../../../../db/sql/matching-places.ts";
import { selectNewestOfEach } from "../../../../db/sql/newest-of-each.ts";
import type { RecordRow } from "../../../../db/sql/select-records.ts";
import { gpuKeyOf } from "../../../../domain/gpu-key.ts";
import { metricNames } from "../../../../domain/metrics.ts";
import type { EachGpuFilter } from "../../../../domain/query.ts";
import { type BlockPlace, BlockPlaces, byPlace, candidatesOf } from "./block-places.ts";
import { recordRowOf } from "./block-records.ts";
import { type HistoryPart, partsOfBlocks } from "./history-part.ts";

/** Blocks that a statement reads at most, with all of their columns: some MB. */
const blocksPerStatement = 1024;
const growth = 4;

/** Reads the newest records of each of many GPUs from rows and blocks, in any order. A GPU whose newest blocks have too few records is
 *  read again, with more of them.
 *  @throws UndecodableBlock, and the errors of the executor */
export async function readRecordsOfEach(executor: SqlExecutor, filter: EachGpuFilter): Promise<RecordRow[]> {
  const records: RecordRow[] = [];
  let uuids = [...new Set(filter.uuids)];
  for (let blocksOfEach = 1; uuids.length > 0; blocksOfEach *= growth) {
    const unfinished: string[] = [];
    const perStatement = Math.max(1, Math.floor(blocksPerStatement / blocksOfEach));
    for (let from = 0; from < uuids.length; from += perStatement) {
      const some = uuids.slice(from, from + perStatement);
      const read = await readSome(executor, { ...filter, uuids: some }, blocksOfEach);
      records.push(...read.records);
      unfinished.push(...read.unfinished);
    }
    uuids = unfinished;
  }
  return records;
}

interface SomeRecords {
  readonly records: readonly RecordRow[];
  /** GPUs that may have more records in older blocks. Of these, there are no records. */
  readonly unfinished: readonly string[];
}

async function readSome(executor: SqlExecutor, filter: EachGpuFilter, blocksOfEach: number): Promise<SomeRecords> {
  const { rows, blocks } = await selectNewestOfEach(executor, filter, blocksOfEach);
  const settled = await newestPlaces(executor, filter, await partsOfBlocks(blocks, metricNames, filter.range));
  const found = Map.groupBy<number, RecordRow | BlockPlace>([...rows, ...settled], ({ gpuKey }) => gpuKey);
  const blocksOf = Map.groupBy(blocks, ({ gpuKey }) => gpuKey);
  const records: RecordRow[] = [];
  const unfinished: string[] = [];
  for (const uuid of filter.uuids) {
    const gpuKey = gpuKeyOf(uuid);
    const newest = (found.get(gpuKey) ?? []).sort((a, b) => byPlace(b, a)).slice(0, filter.limit);
    const read = blocksOf.get(gpuKey) ?? [];
    // with fewer blocks, there are no older ones, or the rows are newer
    const fromMs = read.length < blocksOfEach ? -Infinity : Math.min(...read.map((block) => block.fromMs));
    const isEnough = newest.length === filter.limit && newest.every(({ timeMs }) => timeMs >= fromMs);
    if (fromMs > -Infinity && !isEnough) unfinished.push(uuid);
    else records.push(...newest.map((each) => ("part" in each ? recordRowOf(each.part, each.index) : each)));
  }
  return { records, unfinished };
}

/** The newest records of each GPU that are in blocks and match the filter. */
async function newestPlaces(
  executor: SqlExecutor,
  { within, limit }: EachGpuFilter,
  parts: readonly HistoryPart[],
): Promise<BlockPlace[]> {
  const gpus = within === undefined ? {} : { within };
  const count = restrictsPlaces(gpus) ? Infinity : limit;
  const places = Array.from(Map.groupBy(parts, ({ gpuKey }) => gpuKey).values(), (ofGpu) =>
    new BlockPlaces(false).add(ofGpu.map((part) => candidatesOf(part, gpus))).take(count),
  ).flat();
  return restrictsPlaces(gpus) ? matchingPlaces(executor, gpus, places) : places;
}
