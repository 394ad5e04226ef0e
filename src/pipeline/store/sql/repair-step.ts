import type { SqlClient, SqlExecutor, SqlTransaction } from "../../../db/client.ts";
import { decodeNamed, nameOfBlock } from "../../../db/named-block.ts";
import { holdSettling, tryHours } from "../../../db/sql/hour-locks.ts";
import { selectBlocks, type StoredBlock } from "../../../db/sql/packed-blocks.ts";
import { unpackBlock } from "../../../domain/block/packed-block.ts";
import { TelemetryError, UndecodableBlock } from "../../../domain/errors.ts";
import type { BlockOfGpu } from "../../../domain/rollup/roll-up.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { systemClock } from "../../../kit/clock.ts";

/** There is nothing to repair, or it cannot be done now. */
export class NotRepaired extends TelemetryError {
  readonly code = "not_repaired";
  readonly retryable = false;
}

/** A GPU, and how many records its blocks of an hour have. */
export interface GpuRecords {
  readonly gpuKey: number;
  readonly records: number;
}

/** So many records are read at a time, unless one GPU has more. */
const recordsPerStep = 20_000;

/** Divides GPUs into steps. */
export function* inSteps(gpus: readonly GpuRecords[]): Generator<number[], void, undefined> {
  let step: number[] = [];
  let sum = 0;
  for (const { gpuKey, records } of gpus) {
    if (step.length > 0 && sum + records > recordsPerStep) {
      yield step;
      [step, sum] = [[], 0];
    }
    step.push(gpuKey);
    sum += records;
  }
  if (step.length > 0) yield step;
}

/** Decodes a block. @throws UndecodableBlock, which names it */
export const decoded = (block: StoredBlock) =>
  decodeNamed(
    () => nameOfBlock(block),
    () => unpackBlock(block),
  );

/** The blocks of the GPUs all of whose blocks of an hour can be read.
 *  @param unreadable receives the reasons for the others */
export async function readableBlocks(
  executor: SqlExecutor,
  { hour, gpuKeys }: { readonly hour: number; readonly gpuKeys: readonly number[] },
  unreadable: string[] = [],
): Promise<BlockOfGpu[]> {
  const ofGpu = Map.groupBy(await selectBlocks(executor, hour, gpuKeys), ({ gpuKey }) => gpuKey);
  return [...ofGpu].flatMap(([gpuKey, blocks]) => {
    try {
      return blocks.map((block) => ({ gpuKey, block: decoded(block) }));
    } catch (error) {
      if (!(error instanceof UndecodableBlock)) throw error;
      unreadable.push(error.message);
      return [];
    }
  });
}

/** The message of what cannot be decoded; nothing if it can. */
export function faultOf(decode: () => unknown): string[] {
  try {
    decode();
    return [];
  } catch (error) {
    if (!(error instanceof UndecodableBlock)) throw error;
    return [error.message];
  }
}

const attemptsMax = 100;
const attemptEveryMs = 100;

/** Runs a transaction in which no record is added to an hour and nothing is settled. */
export async function alone<T>(
  client: SqlClient,
  hour: number,
  work: (transaction: SqlTransaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const done = await client.transaction(async (transaction) => {
      holdSettling(transaction);
      return (await tryHours(transaction, [hour])) === "held" ? { value: await work(transaction) } : undefined;
    });
    if (done !== undefined) return done.value;
    await systemClock.sleep(attemptEveryMs);
  }
  throw new NotRepaired(
    `records are being added to the hour from ${formatTimestamp(hour)} all the time: try again, or stop the collectors first`,
  );
}
