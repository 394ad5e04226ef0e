import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import { noteLateHours } from "../../../db/sql/late-hours.ts";
import {
  type GpuHours,
  selectBlocks,
  selectGpusOfBlocks,
  type StoredBlock,
  takeBlocks,
} from "../../../db/sql/packed-blocks.ts";
import { deleteRollups, markStale, selectRolledUp, selectRollupsOfHour } from "../../../db/sql/rollups.ts";
import { selectNextSettledHour } from "../../../db/sql/filled-hours.ts";
import { countRows } from "../../../db/sql/settled-rows.ts";
import { UndecodableBlock } from "../../../domain/errors.ts";
import { hourMs } from "../../../domain/time-range.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { alone, decoded, faultOf, type GpuRecords, inSteps, NotRepaired, readableBlocks } from "./repair-step.ts";
import { decodeRollups, dropRollups, storeRollups } from "./settled-rollups.ts";
import type { UsageThresholds } from "../../../domain/usage/usage-hour.ts";
import { makeRows } from "./unsettle.ts";
import { dropUsage, storeUsage } from "./usage/stored-usage.ts";

// What an operator does about settled history that is damaged. While it is done, questions get what can be read, and nothing is counted
// twice: each step is a transaction in which nothing is added to the hour, and nothing is settled.

/** Something that is wrong with settled history. */
export interface Fault {
  /** A sentence without its full stop. */
  readonly problem: string;
  /** What repairs it if no backup is restored: `abandonHour` for a block, `rebuildRollups` for rollups. */
  readonly repair:
    | { readonly kind: "abandon"; readonly gpuKey: number; readonly hour: number }
    | { readonly kind: "rebuild"; readonly hour: number };
}

/** Reads all settled history, hour by hour. @returns what is wrong with it, in the order in which it is to be repaired */
export async function* findDamage(client: SqlClient): AsyncGenerator<Fault, void, undefined> {
  let hour = await selectNextSettledHour(client, -Infinity);
  while (hour !== undefined) {
    yield* findDamageOfHour(client, hour);
    hour = await selectNextSettledHour(client, hour + hourMs);
  }
}

async function* findDamageOfHour(client: SqlClient, hour: number): AsyncGenerator<Fault, void, undefined> {
  const rebuild = { kind: "rebuild", hour } as const;
  for (const rollups of await selectRollupsOfHour(client, hour)) {
    for (const problem of faultOf(() => decodeRollups(rollups))) yield { problem, repair: rebuild };
  }
  const gpus = await selectGpusOfBlocks(client, hour);
  const missing = await withoutRollups(client, hour, gpus).catch(undecodable);
  if (missing !== undefined && missing.length > 0) {
    const problem = `${missing.length} GPU(s) with blocks have no rollups in the hour from ${formatTimestamp(hour)}`;
    yield { problem, repair: rebuild };
  }
  for (const gpuKeys of inSteps(gpus)) {
    for (const block of await selectBlocks(client, hour, gpuKeys)) {
      const { gpuKey } = block;
      for (const problem of faultOf(() => decoded(block))) yield { problem, repair: { kind: "abandon", gpuKey, hour } };
    }
  }
}

/** What was abandoned of a GPU's hour. */
export interface Abandoned {
  /** The blocks that could not be read, and how many records they had. */
  readonly blocks: number;
  readonly records: number;
  /** The records of the hour that can be read. They are rows, and are settled again. */
  readonly keptRecords: number;
}

/** Deletes the blocks of a GPU's hour that cannot be read, and what the rollups have of them. The other records of the hour become rows,
 *  so that they and those that come later are settled as always. Where the blocks were deleted by hand, the rollups follow from what
 *  is in rows.
 *  @param hour its beginning, milliseconds since the epoch
 *  @throws NotRepaired (nothing is changed) if there are only blocks that can be read, or no records at all; UndecodableBlock if the
 *    row of rollups is damaged, too: `rebuildRollups` comes first then */
export function abandonHour(client: SqlClient, gpuKey: number, hour: number): Promise<Abandoned> {
  const what = `gpu_key ${gpuKey} in the hour from ${formatTimestamp(hour)}`;
  return alone(client, hour, async (transaction) => {
    const taken = await takeAll(transaction, { gpuKeys: [gpuKey], hours: [hour] });
    const damaged = taken.filter((block) => !isReadable(block));
    if (taken.length > 0 && damaged.length === 0) {
      throw new NotRepaired(`every block of ${what} can be read: nothing was abandoned`);
    }
    for (const block of taken) if (!damaged.includes(block)) await makeRows(transaction, block);
    const keptRecords = await countRows(transaction, gpuKey, hour);
    if (taken.length === 0 && keptRecords === 0) throw new NotRepaired(`there are no records of ${what}`);
    if (keptRecords === 0) {
      await dropRollups(transaction, hour, gpuKey);
      await dropUsage(transaction, hour, gpuKey);
    } else {
      markStale(transaction, hour, [gpuKey]);
      noteLateHours(transaction, [hour]);
    }
    const records = damaged.reduce((sum, block) => sum + block.records, 0);
    return { blocks: damaged.length, records, keptRecords };
  });
}

/** What was made again of an hour's rollups. */
export interface RebuiltRollups {
  /** Rows of rollups that could not be read. */
  readonly damaged: number;
  /** GPUs whose entries were made again. */
  readonly gpus: number;
  /** Why other GPUs still have none: the names of their blocks, with the reason. */
  readonly unreadable: readonly string[];
}

/** Makes the rollups of an hour again that are damaged or missing, from the blocks. From the first transaction on, averages by the hour are
 *  right: until a GPU has its entry, its blocks are read. Damaged entries of GPUs that have no blocks any more are lost. It can be
 *  started again if it was interrupted.
 *  @param hour its beginning, milliseconds since the epoch
 *  @param thresholds those of the pipeline: the usage of the hour is made again, too */
export async function rebuildRollups(
  client: SqlClient,
  hour: number,
  thresholds: UsageThresholds,
): Promise<RebuiltRollups> {
  const { damaged, missing } = await alone(client, hour, (transaction) => markMissing(transaction, hour));
  const unreadable: string[] = [];
  let gpus = 0;
  for (const gpuKeys of inSteps(missing)) {
    gpus += await alone(client, hour, async (transaction) => {
      const blocks = await readableBlocks(transaction, { hour, gpuKeys }, unreadable);
      const stale = await storeRollups(transaction, hour, blocks);
      await storeUsage(transaction, hour, { blocks, stale, thresholds });
      return new Set(blocks.map(({ gpuKey }) => gpuKey)).size;
    });
  }
  return { damaged, gpus, unreadable };
}

/** Deletes the rollups that cannot be read, and notes the GPUs that have blocks and no entry that counts. */
async function markMissing(
  transaction: SqlTransaction,
  hour: number,
): Promise<{ readonly damaged: number; readonly missing: readonly GpuRecords[] }> {
  const damaged = (await selectRollupsOfHour(transaction, hour)).filter(
    (rollups) => faultOf(() => decodeRollups(rollups)).length > 0,
  );
  for (const rollups of damaged) deleteRollups(transaction, rollups);
  const gpus = await selectGpusOfBlocks(transaction, hour);
  const missing = await withoutRollups(transaction, hour, gpus);
  markStale(
    transaction,
    hour,
    missing.map(({ gpuKey }) => gpuKey),
  );
  return { damaged: damaged.length, missing };
}

/** Those of some GPUs that have no entry in the rollups of an hour, or one that does not count. */
async function withoutRollups(
  executor: SqlExecutor,
  hour: number,
  gpus: readonly GpuRecords[],
): Promise<readonly GpuRecords[]> {
  if (gpus.length === 0) return [];
  const gpuKeys = gpus.map(({ gpuKey }) => gpuKey);
  const rolledUp = await selectRolledUp(executor, hour, gpuKeys);
  return gpus.filter(({ gpuKey }) => !rolledUp.has(gpuKey));
}

const takenAtATime = 50;

async function takeAll(transaction: SqlTransaction, gpuHours: GpuHours): Promise<StoredBlock[]> {
  const all: StoredBlock[] = [];
  for (;;) {
    const taken = await takeBlocks(transaction, gpuHours, takenAtATime);
    all.push(...taken);
    if (taken.length < takenAtATime) return all;
  }
}

const isReadable = (block: StoredBlock): boolean => faultOf(() => decoded(block)).length === 0;

function undecodable(error: unknown): undefined {
  if (!(error instanceof UndecodableBlock)) throw error;
}
