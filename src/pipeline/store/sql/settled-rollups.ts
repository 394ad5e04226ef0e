import type { SqlTransaction } from "../../../db/client.ts";
import {
  copyRollups,
  endStale,
  selectRollupsBefore,
  type StoredRollups,
  takeRollups,
} from "../../../db/sql/rollups.ts";
import { type BlockOfGpu, rollUp } from "../../../domain/rollup/roll-up.ts";
import { joinRollups, packRollup, type Rollup, rollupEntriesMax, unpackRollup } from "../../../domain/rollup/rollup.ts";
import { decodeNamed, nameOfRollups } from "../../../db/named-block.ts";
import { firstToJoin, joinedMax } from "./first-to-join.ts";

/** Stores what the records of GPUs in one hour amount to, in the transaction that settles the records. The entries of a GPU that was
 *  settled before are replaced.
 *  A transaction may settle few GPUs, or a single one. So that an hour does not have as many rollups as it took transactions, those of the
 *  GPUs before are joined with the new entries as long as they are not larger: an entry is written again at most a few times.
 *  @param blocks all blocks of the GPUs in the hour, in the order of GPUs and instants
 *  @returns the keys of those whose entries were stale */
export async function storeRollups(
  transaction: SqlTransaction,
  hour: number,
  blocks: readonly BlockOfGpu[],
): Promise<ReadonlySet<number>> {
  const gpuKeys = [...new Set(blocks.map(({ gpuKey }) => gpuKey))].sort((a, b) => a - b);
  if (gpuKeys.length === 0) return new Set();
  const stale = await endStale(transaction, hour, gpuKeys);
  const fresh = rollUp(blocks);
  const gpuKey = gpuKeys[0] as number;
  const before = (await selectRollupsBefore(transaction, { hour, gpuKey, limit: joinedMax })).map(
    ({ firstKey: key, entries }) => ({ firstKey: key, size: entries }),
  );
  const firstKey = firstToJoin(before, { firstKey: gpuKey, size: fresh.gpuKeys.length }, rollupEntriesMax);
  const existing = await takeDecoded(transaction, hour, { firstKey, lastKey: gpuKeys.at(-1) as number });
  const kept = new Set(existing.flatMap(({ gpuKeys: keys }) => [...keys].filter((key) => !stale.has(key))));
  await storeJoined(
    transaction,
    hour,
    joinRollups([...existing, fresh], (rollup, entry) => {
      return kept.has(rollup.gpuKeys[entry] as number) !== (rollup === fresh);
    }),
  );
  return stale;
}

/** Deletes the entries of a GPU in an hour of which it has no records. The hour must be locked.
 *  @throws UndecodableBlock if the rollups that may have them are damaged, and names them */
export async function dropRollups(transaction: SqlTransaction, hour: number, gpuKey: number): Promise<void> {
  await endStale(transaction, hour, [gpuKey]);
  const existing = await takeDecoded(transaction, hour, { firstKey: gpuKey, lastKey: gpuKey });
  await storeJoined(
    transaction,
    hour,
    joinRollups(existing, (rollup, entry) => rollup.gpuKeys[entry] !== gpuKey),
  );
}

async function takeDecoded(
  transaction: SqlTransaction,
  hour: number,
  bounds: { readonly firstKey: number; readonly lastKey: number },
): Promise<Rollup[]> {
  return (await takeRollups(transaction, hour, bounds)).map(decodeRollups);
}

/** Decodes rollups. @throws UndecodableBlock, which names them */
export function decodeRollups(rollups: StoredRollups): Rollup {
  return decodeNamed(
    () => nameOfRollups(rollups),
    () => unpackRollup(rollups),
  );
}

function storeJoined(transaction: SqlTransaction, hour: number, joined: readonly Rollup[]): Promise<void> {
  return copyRollups(
    transaction,
    joined.map((rollup) => ({
      ...packRollup(rollup),
      hour,
      firstKey: rollup.gpuKeys[0] as number,
      lastKey: rollup.gpuKeys.at(-1) as number,
    })),
  );
}
