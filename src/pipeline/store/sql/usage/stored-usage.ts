import type { SqlExecutor, SqlTransaction } from "../../../../db/client.ts";
import { decodeNamed } from "../../../../db/named-block.ts";
import { labelsKey, selectHolderLabels } from "../../../../db/sql/usage-devices.ts";
import { copyUsage, selectUsageBefore, type StoredUsage, takeUsage } from "../../../../db/sql/usage-hours.ts";
import { type Block, joinBlocks } from "../../../../domain/block/block.ts";
import type { BlockOfGpu } from "../../../../domain/rollup/roll-up.ts";
import { noLabels } from "../../../../domain/usage/labels.ts";
import { type DeviceUsage, packedDevicesMax, packUsage, unpackUsage } from "../../../../domain/usage/packed-usage.ts";
import type { UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { usageOfBlock } from "../../../../domain/usage/usage-of-block.ts";
import { firstToJoin, joinedMax } from "../first-to-join.ts";

/** Finds how devices were used in an hour.
 *  @param blocks all records of the devices in the hour, in the order of devices and instants */
export async function usageOf(
  executor: SqlExecutor,
  blocks: readonly { readonly gpuKey: number; readonly block: Pick<Block, "timesMs" | "metrics" | "runs"> }[],
  thresholds: UsageThresholds,
): Promise<DeviceUsage[]> {
  const ids = blocks.flatMap(({ gpuKey, block }) =>
    block.runs.flatMap(({ attributesId }) => (attributesId === null ? [] : [{ gpuKey, attributesId }])),
  );
  const labels = await selectHolderLabels(executor, ids);
  const ofDevice = Map.groupBy(blocks, ({ gpuKey }) => gpuKey);
  return [...ofDevice]
    .sort(([a], [b]) => a - b)
    .map(([gpuKey, own]) => ({
      gpuKey,
      usage: usageOfBlock(joinBlocks(own.map(({ block }) => ({ others: new Map<string, Float64Array>(), ...block }))), {
        thresholds,
        labelsOf: (attributesId) => labels.get(labelsKey(gpuKey, attributesId)) ?? noLabels,
      }),
    }));
}

/** Stores how devices were used in an hour, in the transaction that settles their records.
 *  A transaction may settle a single device: rows of the devices before are joined with the new one as long as they are not larger, so
 *  that an hour has few.
 *  @param settled `blocks`: all blocks of the devices in the hour; `stale`: the devices whose usage, if there is any, is replaced */
export async function storeUsage(
  transaction: SqlTransaction,
  hour: number,
  settled: {
    readonly blocks: readonly BlockOfGpu[];
    readonly stale: ReadonlySet<number>;
    readonly thresholds: UsageThresholds;
  },
): Promise<void> {
  const fresh = await usageOf(transaction, settled.blocks, settled.thresholds);
  const [first, last] = [fresh[0], fresh.at(-1)];
  if (first === undefined || last === undefined) return;
  const at = { hour, gpuKey: first.gpuKey, limit: joinedMax };
  const before = (await selectUsageBefore(transaction, at)).map(({ firstKey: key, devices }) => ({
    firstKey: key,
    size: devices,
  }));
  const firstKey = firstToJoin(before, { firstKey: first.gpuKey, size: fresh.length }, packedDevicesMax);
  const taken = (await takeUsage(transaction, { hour, firstKey, lastKey: last.gpuKey })).flatMap((stored) =>
    decodeUsage(stored),
  );
  // as for rollups: what is not stale may be of records that were deleted
  const kept = taken.filter(({ gpuKey }) => !settled.stale.has(gpuKey));
  const keptKeys = new Set(kept.map(({ gpuKey }) => gpuKey));
  await storeDevices(transaction, hour, [...kept, ...fresh.filter(({ gpuKey }) => !keptKeys.has(gpuKey))]);
}

/** Deletes the usage of a device in an hour of which it has no records. The hour must be locked. */
export async function dropUsage(transaction: SqlTransaction, hour: number, gpuKey: number): Promise<void> {
  const taken = await takeUsage(transaction, { hour, firstKey: gpuKey, lastKey: gpuKey });
  const kept = taken.flatMap((stored) => decodeUsage(stored)).filter((device) => device.gpuKey !== gpuKey);
  await storeDevices(transaction, hour, kept);
}

/** Decodes usage. @param isWanted by the keys of devices; absent: all @throws UndecodableBlock, which names it */
export function decodeUsage(stored: StoredUsage, isWanted?: (gpuKey: number) => boolean): DeviceUsage[] {
  return decodeNamed(
    () => nameOfUsage(stored),
    () => unpackUsage(stored, stored.hour, isWanted),
  );
}

/** The name of a row of usage in messages. */
export const nameOfUsage = ({ hour, firstKey }: Pick<StoredUsage, "hour" | "firstKey">): string =>
  `the row of usage_hours with first_key ${firstKey} from ${new Date(hour).toISOString()}`;

function storeDevices(transaction: SqlTransaction, hour: number, devices: readonly DeviceUsage[]): Promise<void> {
  const inOrder = devices.toSorted((a, b) => a.gpuKey - b.gpuKey);
  const rows: StoredUsage[] = [];
  for (let at = 0; at < inOrder.length; at += packedDevicesMax) {
    const some = inOrder.slice(at, at + packedDevicesMax);
    const [firstKey, lastKey] = [some[0]?.gpuKey ?? NaN, some.at(-1)?.gpuKey ?? NaN];
    rows.push({ ...packUsage(some, hour), hour, firstKey, lastKey });
  }
  return copyUsage(transaction, rows);
}
