import type { SqlTransaction } from "../../../db/client.ts";
import { copyRollups, endStale, takeRollups } from "../../../db/sql/rollups.ts";
import { type BlockOfGpu, rollUp } from "../../../domain/rollup/roll-up.ts";
import { joinRollups, packRollup, unpackRollup } from "../../../domain/rollup/rollup.ts";

/** Stores what the records of GPUs in one hour amount to, in the transaction that settles the records. The entries of a GPU that was
 *  settled before are replaced.
 *  @param blocks all blocks of the GPUs in the hour, in the order of GPUs and instants */
export async function storeRollups(
  transaction: SqlTransaction,
  hour: number,
  blocks: readonly BlockOfGpu[],
): Promise<void> {
  const gpuKeys = [...new Set(blocks.map(({ gpuKey }) => gpuKey))].sort((a, b) => a - b);
  if (gpuKeys.length === 0) return;
  const stale = await endStale(transaction, hour, gpuKeys);
  const existing = (await takeRollups(transaction, hour, gpuKeys)).map(unpackRollup);
  const kept = new Set(existing.flatMap(({ gpuKeys: keys }) => [...keys].filter((key) => !stale.has(key))));
  const fresh = rollUp(blocks);
  const joined = joinRollups([...existing, fresh], (rollup, entry) => {
    return kept.has(rollup.gpuKeys[entry] as number) !== (rollup === fresh);
  });
  await copyRollups(
    transaction,
    joined.map((rollup) => ({
      ...packRollup(rollup),
      hour,
      firstKey: rollup.gpuKeys[0] as number,
      lastKey: rollup.gpuKeys.at(-1) as number,
    })),
  );
}
