import type { StoredBlock } from "../../../db/sql/packed-blocks.ts";
import { type Block, joinBlocks, partOf } from "../../../domain/block/block.ts";
import { blockRecordsMax, isRestored, packBlock } from "../../../domain/block/packed-block.ts";
import { seriesValuesMax } from "../../../domain/block/series-columns.ts";
import type { BlockOfGpu } from "../../../domain/rollup/roll-up.ts";
import { turnOfOthers } from "../../../kit/turn.ts";

/** So many values are packed at a time, unless a block has more: some milliseconds. */
const valuesPerTurn = 30_000;

/** Blocks of GPUs that were read part by part, as one for each GPU, in the order of the keys.
 *  @param parts of each GPU in the order of instants */
export function joinParts(parts: readonly BlockOfGpu[]): BlockOfGpu[] {
  return Array.from(
    Map.groupBy(parts, ({ gpuKey }) => gpuKey),
    ([gpuKey, ofGpu]): BlockOfGpu => ({ gpuKey, block: joinBlocks(ofGpu.map(({ block }) => block)) }),
  ).sort((a, b) => a.gpuKey - b.gpuKey);
}

/** What is to be stored of GPUs in one hour. */
export interface PackedHour {
  /** As they were read, none with more records than a block may have. */
  readonly blocks: readonly BlockOfGpu[];
  readonly packed: readonly StoredBlock[];
}

/** Packs the records of GPUs, in turns with the rest of the process.
 *  @throws Error if a block is not restored as it was */
export async function packHour(ofGpus: readonly BlockOfGpu[]): Promise<PackedHour> {
  const blocks = ofGpus.flatMap(({ gpuKey, block }) => inParts(block).map((part) => ({ gpuKey, block: part })));
  const packed: StoredBlock[] = [];
  let values = valuesPerTurn;
  for (const each of blocks) {
    const { timesMs, metrics, others } = each.block;
    if (values >= valuesPerTurn) {
      await turnOfOthers();
      values = 0;
    }
    packed.push(packedOf(each));
    values += timesMs.length * (1 + metrics.size + others.size);
  }
  return { blocks, packed };
}

function packedOf({ gpuKey, block }: BlockOfGpu): StoredBlock {
  const stored = packBlock(block);
  // the rows are deleted next: an error in the format must not cost a value
  if (!isRestored(stored, block)) {
    throw new Error(`a block of GPU ${gpuKey} from ${block.timesMs[0]} is not restored as it was: it stays in rows`);
  }
  return { ...stored, gpuKey, fromMs: block.timesMs[0] as number, toMs: block.timesMs.at(-1) as number };
}

function* partsBetween(records: number, perBlock: number): Generator<readonly [number, number]> {
  for (let from = 0; from < records; from += perBlock) yield [from, Math.min(records, from + perBlock)];
}

function inParts(block: Block): Block[] {
  const records = block.timesMs.length;
  const perBlock = Math.max(1, Math.min(blockRecordsMax, Math.floor(seriesValuesMax / Math.max(1, block.others.size))));
  if (records <= perBlock) return [block];
  return Array.from(partsBetween(records, perBlock), ([from, to]) => partOf(block, from, to));
}
