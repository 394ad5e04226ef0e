import type { SqlTransaction } from "../../../db/client.ts";
import { copyTelemetry } from "../../../db/sql/copy-telemetry.ts";
import { type GpuHours, takeBlocks, type StoredBlock } from "../../../db/sql/packed-blocks.ts";
import type { TelemetryColumns } from "../../../db/sql/telemetry-columns.ts";
import type { Run } from "../../../domain/block/block.ts";
import { unpackBlock } from "../../../domain/block/packed-block.ts";
import { hourMs } from "../../../domain/time-range.ts";
import { decodeNamed, nameOfBlock } from "./named-block.ts";

/** Blocks that are taken at a time: some ten thousand records. */
const blocksPerStep = 50;

/** Makes rows of the blocks of the GPU hours that records are added to, so that these can be merged as always. The transaction must
 *  hold the hours (`holdHours`).
 *  @param settledHours the hours of the records in which blocks exist
 *  @returns the number of records that became rows
 *  @throws UndecodableBlock if a block is damaged, and names it */
export async function unsettle(
  transaction: SqlTransaction,
  settledHours: readonly number[],
  records: readonly RecordPlaces[],
): Promise<number> {
  if (settledHours.length === 0) return 0;
  const gpuHours = gpuHoursOf(records, new Set(settledHours));
  let unsettled = 0;
  for (;;) {
    const blocks = await takeBlocks(transaction, gpuHours, blocksPerStep);
    for (const block of blocks) {
      if (!(await copyTelemetry(transaction, columnsOf(block)))) {
        throw new Error(`records of GPU ${block.gpuKey} from ${block.fromMs} exist in addition to their block`);
      }
      unsettled += block.records;
    }
    if (blocks.length < blocksPerStep) return unsettled;
  }
}

/** The keys of GPUs and the instants of records. */
interface RecordPlaces {
  readonly gpuKeys: ArrayLike<number>;
  readonly timesMs: ArrayLike<number>;
}

function gpuHoursOf(records: readonly RecordPlaces[], settled: ReadonlySet<number>): GpuHours {
  const hoursOfGpu = new Map<number, Set<number>>();
  for (const { gpuKeys, timesMs } of records) {
    for (let index = 0; index < gpuKeys.length; index += 1) {
      const hour = Math.floor((timesMs[index] as number) / hourMs) * hourMs;
      if (!settled.has(hour)) continue;
      const gpuKey = gpuKeys[index] as number;
      const hours = hoursOfGpu.get(gpuKey);
      if (hours === undefined) hoursOfGpu.set(gpuKey, new Set([hour]));
      else hours.add(hour);
    }
  }
  const pairs = Array.from(hoursOfGpu, ([gpuKey, hours]) =>
    Array.from(hours, (hour) => [gpuKey, hour] as const),
  ).flat();
  return { gpuKeys: pairs.map(([gpuKey]) => gpuKey), hours: pairs.map(([, hour]) => hour) };
}

function columnsOf(stored: StoredBlock): TelemetryColumns {
  const { timesMs, metrics, others, runs } = decodeNamed(
    () => nameOfBlock(stored),
    () => unpackBlock(stored),
  );
  const records = timesMs.length;
  const ofRun = <T>(value: (run: Run) => T): T[] => runs.flatMap((run) => new Array<T>(run.records).fill(value(run)));
  return {
    gpuKeys: new Float64Array(records).fill(stored.gpuKey),
    timesMs,
    metrics: Array.from(metrics, ([name, values]) => ({ name, values })),
    custom: Array.from({ length: records }, (_, record) => customOf(others, record)),
    occupants: ofRun(({ occupants }) => occupants),
    attributesIds: ofRun(({ attributesId }) => attributesId ?? NaN),
  };
}

function customOf(others: ReadonlyMap<string, Float64Array>, record: number): string | undefined {
  const entries = [...others].flatMap(([name, values]): [string, number][] => {
    const value = values[record] as number;
    return Number.isNaN(value) ? [] : [[name, value]];
  });
  return entries.length === 0 ? undefined : JSON.stringify(Object.fromEntries(entries));
}
