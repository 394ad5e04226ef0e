import { type ColumnsRow, type RowsOfGpu, sentDoubles } from "../../../../db/sql/history-columns.ts";
import type { BlockOfGpu } from "../../../../db/sql/sent-blocks.ts";
import { packedColumns } from "../../../../db/sql/packed-columns.ts";
import { storedOccupants } from "../../../../db/sql/stored-occupants.ts";
import { type Block, partOf, type Run } from "../../../../domain/block/block.ts";
import { unpackColumns } from "../../../../domain/block/packed-block.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import type { Workload } from "../../../../domain/gpu.ts";
import { hourMs, type TimeRange } from "../../../../domain/time-range.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import type { OnUnreadable } from "../../telemetry-queries.ts";
import { decodeNamed, nameOfBlock } from "../../../../db/named-block.ts";
import { firstFrom, inWholeMs, SharedTimes } from "./shared-times.ts";

/** Records of one GPU in the order of their instants, in columns of the same length, at least one record. The instants are whole
 *  milliseconds. */
export interface HistoryPart extends Block {
  readonly gpuKey: number;
}

/** Blocks that are decoded before other work of the process gets its turn: about 10 ms. */
const blocksPerTurn = 64;

/** Which records of blocks are wanted. */
export interface WantedRange extends TimeRange {
  /** Receives the error of each block that cannot be read, which is then left out; absent: it is thrown. */
  readonly onUnreadable?: OnUnreadable | undefined;
}

/** Decodes blocks, and cuts them to a range. The rest of the process gets its turn now and then.
 *  @param names the metrics that the rows have
 *  @throws UndecodableBlock, which names the GPU's key and the instant */
export async function partsOfBlocks(
  rows: readonly BlockOfGpu[],
  names: readonly string[],
  range: WantedRange,
): Promise<HistoryPart[]> {
  const parts: HistoryPart[] = [];
  const times = new SharedTimes(range);
  for (const [index, row] of rows.entries()) {
    if (index > 0 && index % blocksPerTurn === 0) await turnOfOthers();
    const part = partUnless(range.onUnreadable, () => partOfBlock(row, names, times));
    if (part !== undefined) parts.push(part);
  }
  return parts;
}

function partUnless(onUnreadable: OnUnreadable | undefined, decode: () => HistoryPart | undefined) {
  if (onUnreadable === undefined) return decode();
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof UndecodableBlock)) throw error;
    onUnreadable(error);
    return undefined;
  }
}

/** @returns undefined if none of the block's records is in the range */
function partOfBlock(row: BlockOfGpu, names: readonly string[], times: SharedTimes): HistoryPart | undefined {
  const { gpuKey, records, others, runs } = row;
  const metrics = packedColumns(row, names);
  const packed = { records, metrics, others: others ?? undefined, runs: runs ?? undefined };
  return decodeNamed(
    () => nameOfBlock(row),
    () => {
      const { all, from, to, timesMs } = times.of(row);
      const block = unpackColumns(packed, all);
      if (from >= to) return undefined;
      return from === 0 && to === all.length ? { ...block, gpuKey } : { ...partOf(block, from, to), gpuKey, timesMs };
    },
  );
}

/** Reads the columns of a GPU's rows, a part for each hour.
 *  @param more the other rows of the answer that are of the same GPU: `others` and `run` */
export function partsOfRows(row: RowsOfGpu, names: readonly string[], more: readonly ColumnsRow[] = []): HistoryPart[] {
  const { gpuKey, records, times } = row;
  const timesMs = inWholeMs(sentDoubles(times));
  const metrics = new Map(Array.from(packedColumns(row, names), ([name, bytes]) => [name, sentDoubles(bytes)]));
  const block = { timesMs, metrics, others: othersOf(more, records), runs: runsOf(more, records) };
  const parts: HistoryPart[] = [];
  for (let from = 0; from < records;) {
    const to = firstFrom(timesMs, (Math.floor((timesMs[from] as number) / hourMs) + 1) * hourMs);
    parts.push({ ...partOf(block, from, to), gpuKey });
    from = to;
  }
  return parts;
}

type OtherValues = readonly (readonly [place: number, series: Readonly<Record<string, number>>])[];

function othersOf(more: readonly ColumnsRow[], records: number): Map<string, Float64Array> {
  const others = new Map<string, Float64Array>();
  for (const { runs: text } of more.filter((row) => row.kind === "others")) {
    for (const [place, series] of JSON.parse(text) as OtherValues) {
      for (const name in series) {
        let column = others.get(name);
        if (column === undefined) others.set(name, (column = new Float64Array(records).fill(NaN)));
        column[place] = series[name] as number;
      }
    }
  }
  return others;
}

type RunValues = readonly [number | null, string | null, string | null, string | null, readonly Workload[] | null];

function runsOf(more: readonly ColumnsRow[], records: number): Run[] {
  const starts = more.filter((row) => row.kind === "run");
  return starts.map(({ records: place, runs: text }, index) => {
    const [attributesId, container, pod, namespace, occupants] = JSON.parse(text) as RunValues;
    return {
      records: (starts[index + 1]?.records ?? records) - place,
      attributesId,
      occupants: storedOccupants({ container, pod, namespace, occupants }),
    };
  });
}
