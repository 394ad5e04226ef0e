import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import { newestKnownMigrationMs, readSchema } from "../../../db/migrations.ts";
import { limitSettling, tryHours } from "../../../db/sql/hour-locks.ts";
import { copyBlocks } from "../../../db/sql/packed-blocks.ts";
import { forgetLateHours, restHours, selectDueHours } from "../../../db/sql/late-hours.ts";
import {
  areUnchanged,
  deleteRows,
  gpusOfHour,
  hourOfGpus,
  markOf,
  nextHour,
  planByKeys,
  type SpanOfGpus,
} from "../../../db/sql/settled-rows.ts";
import { selectRolledUp } from "../../../db/sql/rollups.ts";
import { updateLastSeen } from "../../../db/sql/gpu-states.ts";
import type { BlockOfGpu } from "../../../domain/rollup/roll-up.ts";
import { hourMs } from "../../../domain/time-range.ts";
import type { DueHours, HistorySettling, SettleAge, SettleStep } from "../history-settling.ts";
import { BlockReader } from "./block-reader.ts";
import { joinParts, packHour, type PackedHour } from "./hour-blocks.ts";
import { type UsageThresholds, usageThresholdsDefault } from "../../../domain/usage/usage-hour.ts";
import { storeRollups } from "./settled-rollups.ts";
import { DayRollUp } from "./usage/day-roll-up.ts";
import { storeUsage } from "./usage/stored-usage.ts";

const gpusMax = 500;
/** So many records are read by a statement before a transaction: all questions to the embedded store wait for each statement. */
const partRecords = 500;

/** How records are settled. */
export interface SettlerOptions {
  /** The maximum number of records that a transaction settles, unless one GPU has more in the hour. */
  readonly recordsMax: number;
  /** True: records are read and packed before the transaction, by statements of some milliseconds. */
  readonly readsBefore: boolean;
}

/** In the few tenths of a second of a transaction, records that are late for the hour wait. */
const onServers: SettlerOptions = { recordsMax: 20_000, readsBefore: false };
/** All questions wait for a transaction of the embedded store. */
export const inEmbedded: SettlerOptions = { recordsMax: 2000, readsBefore: true };

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
  private readonly reader = new BlockReader();
  private readonly days: DayRollUp;

  constructor(
    private readonly client: SqlClient,
    private readonly options: SettlerOptions = onServers,
    private readonly thresholds: UsageThresholds = usageThresholdsDefault,
  ) {
    this.days = new DayRollUp(client, thresholds);
  }

  async due(age: SettleAge): Promise<DueHours> {
    return selectDueHours(this.client, age);
  }

  settleSome(hour: number, afterKey: number): Promise<SettleStep> {
    return this.options.readsBefore ? this.readThenSettle(hour, afterKey) : this.settleAtOnce(hour, afterKey);
  }

  private settleAtOnce(hour: number, afterKey: number): Promise<SettleStep> {
    return this.locked(hour, async (transaction) => {
      const { gpuKeys } = await this.nextGpus(transaction, hour, afterKey);
      const keys = await settledKeys(transaction, hour, gpuKeys);
      const span = hourOfGpus(hour, keys);
      const read = keys.length === 0 ? [] : await this.reader.read(transaction, span);
      const records = await this.storeHour(transaction, span, await packHour(read));
      return { outcome: "settled", records, lastKey: gpuKeys.at(-1) };
    });
  }

  /** Reads and packs before the transaction, which then only checks that nothing has come since. */
  private async readThenSettle(hour: number, afterKey: number): Promise<SettleStep> {
    const client = byStatement(this.client);
    const { gpuKeys, records } = await this.nextGpus(client, hour, afterKey);
    const keys = await settledKeys(client, hour, gpuKeys);
    if (keys.length === 0) return { outcome: "settled", records: 0, lastKey: gpuKeys.at(-1) };
    const mark = await markOf(client);
    const span = hourOfGpus(hour, keys);
    let packed: PackedHour;
    try {
      packed = await packHour(await this.readInParts(client, span, records));
    } catch (cause) {
      // between two statements, what they read may have changed
      if (await areUnchanged(client, span, { mark, records: undefined })) throw cause;
      return { outcome: "hour is busy" };
    }
    const read = packed.packed.reduce((sum, block) => sum + block.records, 0);
    return this.locked(hour, async (transaction) => {
      const isAsRead =
        (await areUnchanged(transaction, span, { mark, records: read })) &&
        (await settledKeys(transaction, hour, keys)).length === keys.length;
      if (!isAsRead) return { outcome: "hour is busy" };
      return { outcome: "settled", records: await this.storeHour(transaction, span, packed), lastKey: gpuKeys.at(-1) };
    });
  }

  /** Reads as many records at a time as take some milliseconds. */
  private async readInParts(executor: SqlExecutor, span: SpanOfGpus, records: number): Promise<BlockOfGpu[]> {
    const parts: BlockOfGpu[] = [];
    const stepMs = Math.max(1000, Math.ceil((span.toMs - span.fromMs) / Math.ceil(records / partRecords)));
    for (let { fromMs } = span; fromMs < span.toMs; fromMs += stepMs) {
      const part = { ...span, fromMs, toMs: Math.min(span.toMs, fromMs + stepMs) };
      parts.push(...(await this.reader.read(executor, part)));
    }
    return joinParts(parts);
  }

  private async nextGpus(
    executor: SqlExecutor,
    hour: number,
    afterKey: number,
  ): Promise<{ readonly gpuKeys: number[]; readonly records: number }> {
    const { recordsMax } = this.options;
    const limit = Math.min(gpusMax, Math.max(1, Math.ceil(recordsMax / this.recordsPerGpu)));
    const due = firstUpTo(await gpusOfHour(executor, { hour, afterKey, limit }), recordsMax);
    const records = due.reduce((sum, gpu) => sum + gpu.records, 0);
    if (due.length > 0) this.recordsPerGpu = records / due.length;
    return { gpuKeys: due.map(({ gpuKey }) => gpuKey), records };
  }

  private locked(hour: number, work: (transaction: SqlTransaction) => Promise<SettleStep>): Promise<SettleStep> {
    return this.client.transaction(async (transaction) => {
      limitSettling(transaction);
      planByKeys(transaction);
      const lock = await tryHours(transaction, [hour]);
      // of values that a newer version has added, this program would make no blocks
      if (await isNewer(transaction)) return { outcome: "others settle" };
      return lock === "held" ? work(transaction) : { outcome: lock };
    });
  }

  async rollUpDay(): Promise<boolean> {
    return !(await isNewer(this.client)) && this.days.rollUpDay();
  }

  forget(settled: readonly number[]): Promise<void> {
    return forgetLateHours(this.client, settled);
  }

  rest(hours: readonly number[]): Promise<void> {
    return restHours(this.client, hours);
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

  /** Replaces rows by blocks. The hour must be locked. @returns the number of records */
  private async storeHour(transaction: SqlTransaction, span: SpanOfGpus, hour: PackedHour): Promise<number> {
    const { gpuKeys, fromMs } = span;
    const { blocks, packed } = hour;
    const records = packed.reduce((sum, block) => sum + block.records, 0);
    if (records === 0) return 0;
    if (!(await copyBlocks(transaction, packed)))
      throw new Error(`blocks of ${new Date(fromMs).toISOString()} exist in addition to records`);
    const deleted = await deleteRows(transaction, span);
    // neither can happen while the hour is locked
    if (deleted !== records) throw new Error(`${records} records were settled, but ${deleted} deleted`);
    const stale = await storeRollups(transaction, fromMs, blocks);
    await storeUsage(transaction, fromMs, { blocks, stale, thresholds: this.thresholds });
    const lastOf = new Map(packed.map(({ gpuKey, toMs }) => [gpuKey, toMs]));
    await updateLastSeen(transaction, { gpuKeys, lastMs: gpuKeys.map((key) => lastOf.get(key) ?? 0) });
    return records;
  }
}

/** True if a newer version has migrated the database. */
async function isNewer(executor: SqlExecutor): Promise<boolean> {
  return (await readSchema(executor)).newestMs > newestKnownMigrationMs();
}

/** The first GPUs, at least one, that have no more than so many records together. */
function firstUpTo<Gpu extends { readonly records: number }>(gpus: readonly Gpu[], recordsMax: number): Gpu[] {
  let sum = 0;
  return gpus.filter(({ records }, index) => (sum += records) <= recordsMax || index === 0);
}

/** The keys of GPUs whose records of the hour are to be settled: of the others, the blocks were deleted because of their age. */
async function settledKeys(executor: SqlExecutor, hour: number, gpuKeys: readonly number[]): Promise<number[]> {
  if (gpuKeys.length === 0) return [];
  const rolledUp = await selectRolledUp(executor, hour, gpuKeys);
  return gpuKeys.filter((key) => !rolledUp.has(key));
}

/** Runs each statement in its turn among the transactions, not among the short reads, which are not to wait for it. */
function byStatement(client: SqlClient): SqlExecutor {
  return {
    query: <Row>(text: string, params?: readonly unknown[]) =>
      client.inOrder((executor) => executor.query<Row>(text, params)),
  };
}
