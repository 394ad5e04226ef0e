import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import { hourMs, limitSettling, tryHours } from "../../../db/sql/hour-locks.ts";
import { copyBlocks, type StoredBlock } from "../../../db/sql/packed-blocks.ts";
import { forgetLateHours, selectDueHours } from "../../../db/sql/late-hours.ts";
import {
  type CustomOfRecord,
  deleteRows,
  gpusOfHour,
  type HourOfGpus,
  nextHour,
  readColumns,
  readCustom,
  readRunStarts,
  type RunStart,
} from "../../../db/sql/settled-rows.ts";
import { selectRolledUp } from "../../../db/sql/rollups.ts";
import { updateLastSeen } from "../../../db/sql/gpu-states.ts";
import { type Block, partOf, type Run } from "../../../domain/block/block.ts";
import { blockRecordsMax, isSameBlock, packBlock, unpackBlock } from "../../../domain/block/packed-block.ts";
import { seriesValuesMax } from "../../../domain/block/series-columns.ts";
import type { BlockOfGpu } from "../../../domain/rollup/roll-up.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import type { DueHours, HistorySettling, SettleAge, SettleStep } from "../history-settling.ts";
import { storeRollups } from "./settled-rollups.ts";

const gpusMax = 500;
/** So many records a transaction settles: in its few tenths of a second, records that are late for the hour wait, and so does the rest of
 *  this process while they are packed. */
const serverRecordsMax = 20_000;
/** All questions wait for a transaction of the embedded store. */
export const embeddedRecordsMax = 4000;
/** So many blocks are packed at a time: some milliseconds. */
const packedBetweenTurns = 16;

/** What was settled. */
export interface Settled {
  readonly records: number;
  /** Hours that had to be left out, because other transactions were adding to them, or settling. */
  readonly busyHours: number;
}

/** Settles history: the records of a GPU in an hour become one block (a few if there are very many), which takes a thirtieth of
 *  their space. A record that comes later makes rows of its block again (`unsettle`), and the hour can be settled again.
 *
 *  Late records of an hour whose blocks were deleted because of their age, while its rollups remain, stay rows until they are deleted,
 *  too: the rollups are not made again of late records alone.
 *
 *  A GPU's hour is in rows or in blocks, never in both, never in neither: each transaction reads, writes and deletes the records of
 *  whole hours of GPUs while no other transaction can add to the hour (hour-locks.ts). Any number of processes may settle. */
export class Settler implements HistorySettling {
  /** How many records a GPU had in the last step: how many GPUs the next one looks at. */
  private recordsPerGpu = 3600;

  /** @param recordsMax the maximum number of records that a transaction settles, unless one GPU has more in the hour */
  constructor(
    private readonly client: SqlClient,
    private readonly recordsMax = serverRecordsMax,
  ) {}

  async due(age: SettleAge): Promise<DueHours> {
    return selectDueHours(this.client, age);
  }

  async settleSome(hour: number, afterKey: number): Promise<SettleStep> {
    const limit = Math.min(gpusMax, Math.max(1, Math.ceil(this.recordsMax / this.recordsPerGpu)));
    return this.client.transaction(async (transaction) => {
      limitSettling(transaction);
      const lock = await tryHours(transaction, [hour]);
      if (lock !== "held") return { outcome: lock };
      const gpus = await gpusOfHour(transaction, { hour, afterKey, limit });
      const due = firstUpTo(gpus, this.recordsMax);
      if (due.length === 0) return { outcome: "settled", records: 0, lastKey: undefined };
      this.recordsPerGpu = due.reduce((sum, gpu) => sum + gpu.records, 0) / due.length;
      const keys = due.map(({ gpuKey }) => gpuKey);
      const rolledUp = await selectRolledUp(transaction, hour, keys);
      const records = await settleGpus(transaction, { hour, gpuKeys: keys.filter((key) => !rolledUp.has(key)) });
      return { outcome: "settled", records, lastKey: keys.at(-1) };
    });
  }

  forget(settled: readonly number[]): Promise<void> {
    return forgetLateHours(this.client, settled);
  }

  /** Settles the hours that ended before an instant, the oldest first.
   *  @throws StoreUnavailable (what was settled remains so), StoreRejected */
  async settle(beforeMs: number): Promise<Settled> {
    let [records, busyHours] = [0, 0];
    let hour = await nextHour(this.client, 0);
    for (; hour !== undefined && hour + hourMs <= beforeMs; hour = await nextHour(this.client, hour + hourMs)) {
      const settled = await this.settleHour(hour);
      records += settled.records;
      busyHours += settled.isBusy ? 1 : 0;
    }
    return { records, busyHours };
  }

  private async settleHour(hour: number): Promise<{ readonly records: number; readonly isBusy: boolean }> {
    let records = 0;
    for (let afterKey: number | undefined = 0; afterKey !== undefined;) {
      const step: SettleStep = await this.settleSome(hour, afterKey);
      if (step.outcome !== "settled") return { records, isBusy: true };
      records += step.records;
      afterKey = step.lastKey;
    }
    return { records, isBusy: false };
  }
}

/** The first GPUs, at least one, that have no more than so many records together. */
function firstUpTo<Gpu extends { readonly records: number }>(gpus: readonly Gpu[], recordsMax: number): Gpu[] {
  let sum = 0;
  return gpus.filter(({ records }, index) => (sum += records) <= recordsMax || index === 0);
}

/** @returns the number of records */
async function settleGpus(transaction: SqlTransaction, { hour, gpuKeys }: HourOfGpus): Promise<number> {
  if (gpuKeys.length === 0) return 0;
  const parts = await hourParts(transaction, { hour, gpuKeys });
  const blocks: StoredBlock[] = [];
  for (const part of parts) {
    if (blocks.length % packedBetweenTurns === 0) await turnOfOthers();
    blocks.push(packed(part));
  }
  const records = blocks.reduce((sum, block) => sum + block.records, 0);
  if (!(await copyBlocks(transaction, blocks)))
    throw new Error(`blocks of ${new Date(hour).toISOString()} exist in addition to records`);
  const deleted = await deleteRows(transaction, { hour, gpuKeys });
  // neither can happen while the hour is locked
  if (deleted !== records) throw new Error(`${records} records were settled, but ${deleted} deleted`);
  await storeRollups(transaction, hour, parts);
  await updateLastSeen(transaction, {
    gpuKeys,
    lastMs: gpuKeys.map((key) => blocks.findLast(({ gpuKey }) => gpuKey === key)?.toMs ?? 0),
  });
  return records;
}

async function hourParts(executor: SqlExecutor, hourOfGpus: HourOfGpus): Promise<BlockOfGpu[]> {
  const [columns, starts, custom] = await Promise.all([
    readColumns(executor, hourOfGpus),
    readRunStarts(executor, hourOfGpus),
    readCustom(executor, hourOfGpus),
  ]);
  const startsOf = Map.groupBy(starts, ({ gpuKey }) => gpuKey);
  const customOf = Map.groupBy(custom, ({ gpuKey }) => gpuKey);
  return columns.flatMap(({ gpuKey, timesMs, metrics }) => {
    const runs = runsOf(startsOf.get(gpuKey) ?? [], timesMs.length);
    const others = othersOf(customOf.get(gpuKey) ?? [], timesMs.length);
    return inParts({ timesMs, metrics, others, runs }).map((block) => ({ gpuKey, block }));
  });
}

function packed({ gpuKey, block }: BlockOfGpu): StoredBlock {
  const stored = packBlock(block);
  // the rows are deleted next: an error in the format must not cost a value
  if (!isSameBlock(withValues(block), unpackBlock(stored))) {
    throw new Error(`a block of GPU ${gpuKey} from ${block.timesMs[0]} is not restored as it was: it stays in rows`);
  }
  return { ...stored, gpuKey, fromMs: block.timesMs[0] as number, toMs: block.timesMs.at(-1) as number };
}

function withValues({ metrics, others, ...block }: Block): Block {
  const filled = (columns: ReadonlyMap<string, Float64Array>): Map<string, Float64Array> =>
    new Map([...columns].filter(([, values]) => values.some((value) => !Number.isNaN(value))));
  return { ...block, metrics: filled(metrics), others: filled(others) };
}

function* partsBetween(records: number, perBlock: number): Generator<readonly [number, number]> {
  for (let from = 0; from < records; from += perBlock) yield [from, Math.min(records, from + perBlock)];
}

function inParts(block: Block): Block[] {
  const records = block.timesMs.length;
  const perBlock = Math.max(1, Math.min(blockRecordsMax, Math.floor(seriesValuesMax / Math.max(1, block.others.size))));
  return Array.from(partsBetween(records, perBlock), ([from, to]) => partOf(block, from, to));
}

function runsOf(starts: readonly RunStart[], records: number): Run[] {
  return starts.map(({ place, attributesId, occupants }, index) => ({
    records: (starts[index + 1]?.place ?? records) - place,
    attributesId,
    occupants,
  }));
}

function othersOf(custom: readonly CustomOfRecord[], records: number): Map<string, Float64Array> {
  const others = new Map<string, Float64Array>();
  for (const { place, custom: values } of custom) {
    for (const [name, value] of Object.entries(values)) {
      let column = others.get(name);
      if (column === undefined) others.set(name, (column = new Float64Array(records).fill(NaN)));
      column[place] = value;
    }
  }
  return new Map([...others].sort(([a], [b]) => (a < b ? -1 : 1)));
}
