import type { SqlExecutor } from "../../../../db/client.ts";
import { selectGpusOfBlocks } from "../../../../db/sql/packed-blocks.ts";
import { selectOpenHours } from "../../../../db/sql/usage-days.ts";
import { selectUsage, type StoredUsage } from "../../../../db/sql/usage-hours.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { hourMs } from "../../../../domain/time-range.ts";
import type { UsageHour, UsageThresholds } from "../../../../domain/usage/usage-hour.ts";
import { faultOf, type GpuRecords, inSteps, readableBlocks } from "../repair-step.ts";
import { decodeUsage, nameOfUsage, usageOf } from "./stored-usage.ts";

// Finds what is wrong with the usage of a settled hour.

/** The usage of an hour that is damaged. */
export interface UsageDamage {
  /** Rows that cannot be read, with the reason. */
  readonly damaged: readonly { readonly row: StoredUsage; readonly problem: string }[];
  /** Devices with blocks whose usage is missing, and those of which it is not that of their records. */
  readonly missing: readonly GpuRecords[];
  readonly wrong: readonly GpuRecords[];
  /** True if some devices of the damaged rows have no records any more; how many cannot be told. */
  readonly isLost: boolean;
  /** True if some records of the hour are not settled: nothing is compared then. */
  readonly isOpen: boolean;
}

/** Compares the usage of an hour with its records, as far as these are settled and can be read.
 *  @param thresholds any: what depends on them is not compared */
export async function usageDamage(
  executor: SqlExecutor,
  hour: number,
  thresholds: UsageThresholds,
): Promise<UsageDamage> {
  const range = { fromMs: hour, toMs: hour + hourMs };
  const { stored, open } = await selectUsage(executor, range, undefined);
  const damaged = stored.flatMap((row) => faultOf(() => decodedWithin(row)).map((problem) => ({ row, problem })));
  const readable = stored.filter((row) => damaged.every((each) => each.row !== row));
  const usage = new Map(readable.flatMap((row) => decodeUsage(row)).map(({ gpuKey, usage }) => [gpuKey, usage]));
  const isStale = new Set(open.flatMap(({ kind, gpuKey }) => (kind === "stale" ? [gpuKey] : [])));
  const isOpen = (await selectOpenHours(executor, range)).length > 0;
  const gpus = isOpen ? [] : (await selectGpusOfBlocks(executor, hour)).filter(({ gpuKey }) => !isStale.has(gpuKey));
  const wrong = await wrongOf(executor, { hour, gpus, usage, thresholds });
  return {
    ...{ damaged, wrong, isOpen },
    missing: gpus.filter(({ gpuKey }) => !usage.has(gpuKey)),
    isLost: !isOpen && damaged.reduce((sum, { row }) => sum + row.devices, usage.size) > gpus.length,
  };
}

/** @throws UndecodableBlock, also if the row has devices of other rows */
function decodedWithin(row: StoredUsage): void {
  for (const { gpuKey } of decodeUsage(row)) {
    if (gpuKey >= row.firstKey && gpuKey <= row.lastKey) continue;
    throw new UndecodableBlock(`${nameOfUsage(row)} cannot be read: gpu_key ${gpuKey} is not among its keys`);
  }
}

async function wrongOf(
  executor: SqlExecutor,
  known: {
    readonly hour: number;
    readonly gpus: readonly GpuRecords[];
    readonly usage: ReadonlyMap<number, UsageHour>;
    readonly thresholds: UsageThresholds;
  },
): Promise<GpuRecords[]> {
  const { hour, usage, thresholds } = known;
  const wrong = new Set<number>();
  const settled = known.gpus.filter(({ gpuKey }) => usage.has(gpuKey));
  for (const gpuKeys of inSteps(settled)) {
    // what cannot be read is found as a block
    const ofRecords = await usageOf(executor, await readableBlocks(executor, { hour, gpuKeys }), thresholds);
    for (const device of ofRecords) {
      if (factsOf(device.usage) !== factsOf(usage.get(device.gpuKey) as UsageHour)) wrong.add(device.gpuKey);
    }
  }
  return settled.filter(({ gpuKey }) => wrong.has(gpuKey));
}

/** What follows from the records alone: who held the device and how long, utilization, memory and power. What is active follows from
 *  the settings of then, and energy from the version of then. */
function factsOf({ firstMs, limitMs, spans }: UsageHour): string {
  return JSON.stringify([
    ...[firstMs, limitMs],
    ...spans.map(({ holder, lengthMs, utilization, memory, power }) => [
      ...[lengthMs, utilization.sum, utilization.max, memory.sum, memory.max, power.sum, power.max],
      holder && [
        holder.job,
        holder.user,
        ...holder.occupants.map((each) => [each.namespace, each.pod, each.container]),
      ],
    ]),
  ]);
}
