import type { CurrentGpu } from "../../../db/sql/current-gpus.ts";
import type { StoredTimes } from "../../../db/sql/newest-stored.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { isSameOccupants } from "../../../domain/gpu.ts";
import type { ObservedGpu } from "./observed-gpus.ts";

/** What the history needs to know of a GPU's records. */
type ObservedTimes = Pick<ObservedGpu, "firstMs" | "lastMs" | "timesMs" | "reports">;

/** A GPU with records, and its newest state in the store. */
export interface Pair<Observed = ObservedTimes> {
  readonly observed: Observed;
  readonly current: CurrentGpu;
}

/** @throws StoreUnavailable if a GPU is not in the store */
export function pairsOf(
  gpus: readonly ObservedGpu[],
  current: readonly (CurrentGpu | undefined)[],
): Pair<ObservedGpu>[] {
  return gpus.map((observed, index) => {
    const found = current[index];
    // the records are in a database that no longer answers, or the cache was cleared a moment ago
    if (found === undefined)
      throw new StoreUnavailable(`the database that answers does not have GPU ${observed.gpu.uuid}`);
    return { observed, current: found };
  });
}

/** What the records of a batch report about the GPU. */
export function reportsOf({ observed, current: { gpuKey, report } }: Pair) {
  const { reports } = observed;
  return reports.map((each) => ({ gpuKey, attributesId: each.attributesId(report), attributes: each.attributes }));
}

/** The GPUs with the spans of their records. */
export function spansOf(pairs: readonly Pair[]) {
  return {
    gpuKeys: pairs.map(({ current }) => current.gpuKey),
    firstMs: pairs.map(({ observed }) => observed.firstMs),
    lastMs: pairs.map(({ observed }) => observed.lastMs),
  };
}

/** The places of the GPUs' records. */
export function placesOf(pairs: readonly Pair[]) {
  const gpuKeys: number[] = [];
  const timesMs: number[] = [];
  const untilMs: number[] = [];
  for (const { observed, current } of pairs) {
    observed.timesMs.forEach((timeMs, index) => {
      gpuKeys.push(current.gpuKey);
      timesMs.push(timeMs);
      untilMs.push(observed.timesMs[index + 1] ?? Infinity);
    });
  }
  return { gpuKeys, timesMs, untilMs };
}

/** True if the records of a batch change nothing about the GPU. */
export function isUnchanged({ firstMs, reports, occupants }: ObservedGpu, current: CurrentGpu): boolean {
  const { report, workloadFromMs = Infinity, isContested } = current;
  return (
    !isContested &&
    report !== undefined &&
    firstMs >= report.fromMs &&
    firstMs >= workloadFromMs &&
    occupants !== "several" &&
    isSameOccupants(occupants, current.occupants) &&
    reports.every((reported) => reported.attributesId(report) === report.attributesId)
  );
}

/** Pairs of the records that were stored last; what the batches reported is in the store. */
export function storedPairs(stored: readonly StoredTimes[], current: readonly (CurrentGpu | undefined)[]): Pair[] {
  return current.flatMap((gpu, index) => {
    const { timesMs = [] } = stored[index] ?? {};
    const [firstMs, lastMs] = [timesMs[0], timesMs.at(-1)];
    if (gpu === undefined || firstMs === undefined || lastMs === undefined) return [];
    return [{ observed: { firstMs, lastMs, timesMs, reports: [] }, current: gpu }];
  });
}

/** About the records of a batch. */
const partRecords = 5000;

/** Parts of the records, each with all of the records of its GPUs. */
export function partsOf(stored: readonly StoredTimes[]): StoredTimes[][] {
  const parts: StoredTimes[][] = [];
  let records = Infinity;
  for (const each of stored) {
    if (records >= partRecords) [records] = [0, parts.push([])];
    parts.at(-1)?.push(each);
    records += each.timesMs.length;
  }
  return parts;
}
