import type { SqlExecutor } from "../../../../db/client.ts";
import { selectGpusOfBlocks } from "../../../../db/sql/packed-blocks.ts";
import { selectOpenHours } from "../../../../db/sql/usage-days.ts";
import { selectUsage, type StoredUsage } from "../../../../db/sql/usage-hours.ts";
import { UndecodableBlock } from "../../../../domain/errors.ts";
import { hourMs, hourOf } from "../../../../domain/time-range.ts";
import type { DeviceUsage } from "../../../../domain/usage/packed-usage.ts";
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
  /** Devices whose usage differs from their records only in what depends on the settings of then, too: activity and energy. */
  readonly measuredOtherwise: readonly GpuRecords[];
  /** True if some devices of the damaged rows have no records any more; how many cannot be told. */
  readonly isLost: boolean;
  /** True if some records of the hour are not settled: nothing is compared then. */
  readonly isOpen: boolean;
}

/** Compares the usage of an hour with its records, as far as these are settled and can be read.
 *  @param thresholds those of the pipeline */
export async function usageDamage(
  executor: SqlExecutor,
  hour: number,
  thresholds: UsageThresholds,
): Promise<UsageDamage> {
  const range = { fromMs: hour, toMs: hour + hourMs };
  const { stored, open } = await selectUsage(executor, range, undefined);
  const damaged = stored.flatMap((row) => faultOf(() => decodedWithin(row)).map((problem) => ({ row, problem })));
  const readable = stored.filter((row) => damaged.every((each) => each.row !== row));
  const usage = Map.groupBy(
    readable.flatMap((row) => decodeUsage(row)),
    ({ gpuKey }) => gpuKey,
  );
  const isStale = new Set(open.flatMap(({ kind, gpuKey }) => (kind === "stale" ? [gpuKey] : [])));
  const isOpen = (await selectOpenHours(executor, range)).length > 0;
  const gpus = isOpen ? [] : (await selectGpusOfBlocks(executor, hour)).filter(({ gpuKey }) => !isStale.has(gpuKey));
  return {
    ...{ damaged, isOpen },
    ...(await wrongOf(executor, { hour, gpus, usage, thresholds })),
    missing: gpus.filter(({ gpuKey }) => !usage.has(gpuKey)),
    isLost: !isOpen && damaged.reduce((sum, { row }) => sum + row.devices, usage.size) > gpus.length,
  };
}

/** @throws UndecodableBlock, also if the row has other devices than it says, or is of no hour */
function decodedWithin(row: StoredUsage): void {
  const { hour, firstKey, lastKey } = row;
  const cannot = (why: string): UndecodableBlock => new UndecodableBlock(`${nameOfUsage(row)} cannot be read: ${why}`);
  const gpuKeys = decodeUsage(row).map(({ gpuKey }) => gpuKey);
  const outside = gpuKeys.find((gpuKey) => !(gpuKey >= firstKey && gpuKey <= lastKey));
  if (outside !== undefined) throw cannot(`gpu_key ${outside} is not among its keys`);
  if (hour !== hourOf(hour)) throw cannot("from_at is not the beginning of an hour");
  // what selects rows by these would miss some, or read too many
  if (!gpuKeys.includes(firstKey) || !gpuKeys.includes(lastKey)) {
    throw cannot("first_key or last_key is not a key of its devices");
  }
}

async function wrongOf(
  executor: SqlExecutor,
  known: {
    readonly hour: number;
    readonly gpus: readonly GpuRecords[];
    readonly usage: ReadonlyMap<number, readonly DeviceUsage[]>;
    readonly thresholds: UsageThresholds;
  },
): Promise<Pick<UsageDamage, "wrong" | "measuredOtherwise">> {
  const { hour, usage, thresholds } = known;
  const [wrong, measured] = [new Set<number>(), new Set<number>()];
  const settled = known.gpus.filter(({ gpuKey }) => usage.has(gpuKey));
  for (const gpuKeys of inSteps(settled)) {
    // what cannot be read is found as a block
    const ofRecords = await usageOf(executor, await readableBlocks(executor, { hour, gpuKeys }), thresholds);
    for (const { gpuKey, usage: expected } of ofRecords) {
      const [found, ...others] = usage.get(gpuKey) ?? [];
      if (found === undefined || others.length > 0 || factsOf(found.usage) !== factsOf(expected)) wrong.add(gpuKey);
      else if (measuresOf(found.usage) !== measuresOf(expected)) measured.add(gpuKey);
    }
  }
  return {
    wrong: settled.filter(({ gpuKey }) => wrong.has(gpuKey)),
    measuredOtherwise: settled.filter(({ gpuKey }) => measured.has(gpuKey)),
  };
}

/** What follows from the records alone: who held the device and how long, utilization, memory and power. */
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

/** All else: what was active follows from the settings of then, too, and energy from the version of then. */
function measuresOf({ last, effectiveBy, energyBy, energy, spans }: UsageHour): string {
  return JSON.stringify([
    ...[last, effectiveBy, energyBy, energy],
    ...spans.map(({ activeMs, idleMs, effectiveMs, energyJoules, idleJoules }) => [
      ...[activeMs, idleMs, effectiveMs, energyJoules, idleJoules],
    ]),
  ]);
}
