import type { SqlClient, SqlTransaction } from "../../../db/client.ts";
import { copyTelemetry } from "../../../db/sql/copy-telemetry.ts";
import { holdHours, hoursOf } from "../../../db/sql/hour-locks.ts";
import { noteLateHours } from "../../../db/sql/late-hours.ts";
import { type GpuHours, takeBlocks, type StoredBlock } from "../../../db/sql/packed-blocks.ts";
import type { TelemetryColumns } from "../../../db/sql/telemetry-columns.ts";
import type { Run } from "../../../domain/block/block.ts";
import { unpackBlock } from "../../../domain/block/packed-block.ts";
import { TelemetryError } from "../../../domain/errors.ts";
import { hourMs } from "../../../domain/time-range.ts";
import { decodeNamed, nameOfBlock } from "../../../db/named-block.ts";

/** Hours of GPUs whose blocks are taken at a time: some ten thousand records. */
const gpuHoursPerStep = 10;
/** An hour of a GPU has few blocks; this many are taken at a time. */
const blocksPerStep = 50;
/** So many records become rows in a second or a few. The transaction of a message is not to take much longer: it has a time limit. */
const recordsMaxDefault = 100_000;

/** A message adds to more settled history than its transaction can make rows of. Nothing is changed; `unsettleBefore` makes the rows. */
export class MuchToUnsettle extends TelemetryError {
  readonly code = "much_to_unsettle";
  readonly retryable = true;

  constructor(readonly gpuHours: GpuHours) {
    super("a message adds to so many settled hours that they are made rows before it is stored");
  }
}

/** Makes rows of the blocks of the GPU hours that records are added to, so that these can be merged as always. The transaction must
 *  hold the hours (`holdHours`).
 *  @param settledHours the hours of the records in which blocks exist
 *  @returns the number of records that became rows
 *  @throws MuchToUnsettle if they are more than about `recordsMax`; UndecodableBlock if a block is damaged, and names it */
export async function unsettle(
  transaction: SqlTransaction,
  settledHours: readonly number[],
  {
    records,
    recordsMax = recordsMaxDefault,
  }: { readonly records: readonly RecordPlaces[]; readonly recordsMax?: number },
): Promise<number> {
  if (settledHours.length === 0) return 0;
  const gpuHours = gpuHoursOf(records, new Set(settledHours));
  const unsettled = await unsettleSome(transaction, gpuHours, recordsMax);
  if (unsettled.gpuHours < gpuHours.gpuKeys.length) throw new MuchToUnsettle(gpuHours);
  return unsettled.records;
}

/** Makes rows of the blocks of GPU hours, in as many transactions as it takes. The hours are noted as late, so that they are not settled
 *  again meanwhile.
 *  @param recordsMax a transaction ends with the step that reaches it
 *  @returns the number of records that became rows
 *  @throws UndecodableBlock if a block is damaged, and names it */
export async function unsettleBefore(
  client: SqlClient,
  { gpuKeys, hours }: GpuHours,
  recordsMax = recordsMaxDefault,
): Promise<number> {
  const allHours = hoursOf([hours]);
  let records = 0;
  for (let first = 0; first < gpuKeys.length;) {
    const rest = { gpuKeys: gpuKeys.slice(first), hours: hours.slice(first) };
    const unsettled = await client.transaction((transaction) => {
      holdHours(transaction, hoursOf([rest.hours]));
      noteLateHours(transaction, allHours);
      return unsettleSome(transaction, rest, recordsMax);
    });
    records += unsettled.records;
    first += unsettled.gpuHours;
  }
  return records;
}

/** @param gpuHours in the order of GPUs and hours: transactions take the same blocks in one order
 *  @returns how many of the GPU hours, from the first on, have no blocks any more, and of how many records these were */
async function unsettleSome(
  transaction: SqlTransaction,
  { gpuKeys, hours }: GpuHours,
  recordsMax: number,
): Promise<{ readonly gpuHours: number; readonly records: number }> {
  let records = 0;
  let end = 0;
  for (; end < gpuKeys.length && records < recordsMax;) {
    const first = end;
    end = Math.min(gpuKeys.length, first + gpuHoursPerStep);
    records += await unsettleStep(transaction, { gpuKeys: gpuKeys.slice(first, end), hours: hours.slice(first, end) });
  }
  return { gpuHours: end, records };
}

async function unsettleStep(transaction: SqlTransaction, gpuHours: GpuHours): Promise<number> {
  let records = 0;
  for (;;) {
    const blocks = await takeBlocks(transaction, gpuHours, blocksPerStep);
    for (const block of blocks) {
      await makeRows(transaction, block);
      records += block.records;
    }
    if (blocks.length < blocksPerStep) return records;
  }
}

/** Makes rows of a block that is deleted already. @throws UndecodableBlock if it is damaged, and names it */
export async function makeRows(transaction: SqlTransaction, block: StoredBlock): Promise<void> {
  if (!(await copyTelemetry(transaction, columnsOf(block)))) {
    throw new Error(`records of GPU ${block.gpuKey} from ${block.fromMs} exist in addition to their block`);
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
  const pairs = Array.from(hoursOfGpu, ([gpuKey, hours]) => Array.from(hours, (hour) => [gpuKey, hour] as const))
    .flat()
    .sort(([key, hour], [otherKey, otherHour]) => key - otherKey || hour - otherHour);
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
