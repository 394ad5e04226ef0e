import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import {
  beginChange,
  lockGpus,
  recordSeen,
  readStates,
  removeStates,
  setNewestAttributes,
  type StateOf,
  type StateTable,
  updateLastSeen,
  writeStates,
} from "../../../db/sql/gpu-states.ts";
import type { CurrentGpu } from "../../../db/sql/current-gpus.ts";
import { type ObservedRecord, readObservations } from "../../../db/sql/observations.ts";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { type Attributes, completed, isSameAttributes, isSameWorkload } from "../../../domain/gpu.ts";
import type { GpuDirectory, GpuLookup } from "./gpu-directory.ts";
import { addNothing, type ObservedGpu } from "./observed-gpus.ts";
import { changeSpans, type Span, type StateRules } from "./state-spans.ts";

/** `last_seen_at` may be older than a GPU's newest record by up to this time, so that rows of `gpus` are not written with
 *  every batch. */
const seenLagMs = 10 * 60_000;

const attributeRules: StateRules<Attributes> = { isSame: isSameAttributes, completed };

const workloadRules: StateRules<StateOf["gpu_workloads"]> = {
  isSame: isSameWorkload,
  completed: (observed) => observed,
};

/** Keeps the history of GPUs' attributes and workloads.
 *
 *  It runs after a batch's records are committed. For GPUs that may have changed, it reads these records back from the
 *  database, so that late, repeated and simultaneous batches lead to the same history. If the process dies between the commit
 *  and this step, the message is not acknowledged, and its next delivery repeats the step. */
export class GpuStateHistory {
  constructor(
    private readonly client: SqlClient,
    private readonly directory: GpuDirectory,
  ) {}

  /** Applies a batch to the history, after its records are committed.
   *  @param batch a look-up of the same GPUs, in the same order
   *  @throws StoreUnavailable (call it again later), StoreRejected */
  async record(gpus: readonly ObservedGpu[], batch: GpuLookup): Promise<void> {
    if (gpus.length === 0) return;
    await this.directory.refresh(batch);
    const pairs = pairsOf(gpus, batch.gpus());
    const changed = pairs.filter(({ observed, current }) => !isUnchanged(observed, current));
    if (changed.length > 0) await this.change(changed);
    await this.updateLastSeen(
      pairs.filter(({ observed, current }) => observed.lastMs > current.lastSeenMs + seenLagMs),
    );
  }

  private async change(pairs: readonly Pair[]): Promise<void> {
    const sorted = [...pairs].sort((a, b) => a.current.gpuKey - b.current.gpuKey);
    await this.client.transaction(async (executor) => {
      const revision = await beginChange(executor);
      const spans = spansOf(sorted);
      await lockGpus(executor, spans.gpuKeys);
      const records = Map.groupBy(await readObservations(executor, placesOf(sorted)), ({ gpuKey }) => gpuKey);
      const change = { executor, pairs: sorted, records };
      await changeTable(change, { table: "gpu_workloads", rules: workloadRules, stateOf: (record) => record });
      const newest = await changeTable(change, {
        table: "gpu_attributes",
        rules: attributeRules,
        stateOf: ({ timeMs }, { gpu, timesMs, attributes }) => attributes[timesMs.indexOf(timeMs)] ?? gpu,
      });
      await recordSeen(executor, revision, spans);
      await setNewestAttributes(executor, newest);
    });
  }

  private async updateLastSeen(pairs: readonly Pair[]): Promise<void> {
    await updateLastSeen(this.client, spansOf(pairs));
    for (const { observed } of pairs) this.directory.setLastSeen(observed.gpu.uuid, observed.lastMs);
  }
}

interface Pair {
  readonly observed: ObservedGpu;
  readonly current: CurrentGpu;
}

function pairsOf(gpus: readonly ObservedGpu[], current: readonly (CurrentGpu | undefined)[]): Pair[] {
  return gpus.map((observed, index) => {
    const found = current[index];
    // the records are in a database that no longer answers, or the cache was cleared a moment ago
    if (found === undefined)
      throw new StoreUnavailable(`the database that answers does not have GPU ${observed.gpu.uuid}`);
    return { observed, current: found };
  });
}

interface Change {
  readonly executor: SqlExecutor;
  readonly pairs: readonly Pair[];
  readonly records: ReadonlyMap<number, readonly ObservedRecord[]>;
}

interface StateKind<Table extends StateTable> {
  readonly table: Table;
  readonly rules: StateRules<StateOf[Table]>;
  /** The state of the GPU at the record's instant. */
  readonly stateOf: (record: ObservedRecord, observed: ObservedGpu) => StateOf[Table];
}

/** Updates the states of one table.
 *  @returns the GPUs whose newest state changed, with the new state */
async function changeTable<Table extends StateTable>(
  { executor, pairs, records }: Change,
  { table, rules, stateOf }: StateKind<Table>,
): Promise<{ readonly gpuKey: number; readonly state: StateOf[Table] }[]> {
  const stored = Map.groupBy(await readStates(executor, table, spansOf(pairs)), ({ gpuKey }) => gpuKey);
  const changes = pairs.map(({ current: { gpuKey }, observed }) => {
    const spans: readonly Span<StateOf[Table]>[] = stored.get(gpuKey) ?? [];
    const observations = (records.get(gpuKey) ?? []).map((record) => ({
      fromMs: record.timeMs,
      state: stateOf(record, observed),
      nextRecordMs: record.nextRecordMs,
    }));
    return { gpuKey, ...changeSpans(spans, observations, rules) };
  });
  const written = changes.flatMap(({ gpuKey, written: spans }) => spans.map((span) => ({ gpuKey, ...span })));
  const removed = changes.flatMap(({ gpuKey, removed: spans }) => spans.map((fromMs) => ({ gpuKey, fromMs })));
  await removeStates(executor, table, removed);
  await writeStates(executor, table, written);
  return changes.flatMap(({ gpuKey, newest }) => (newest === undefined ? [] : [{ gpuKey, state: newest }]));
}

function spansOf(pairs: readonly Pair[]) {
  return {
    gpuKeys: pairs.map(({ current }) => current.gpuKey),
    firstMs: pairs.map(({ observed }) => observed.firstMs),
    lastMs: pairs.map(({ observed }) => observed.lastMs),
  };
}

function placesOf(pairs: readonly Pair[]) {
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

function isUnchanged(observed: ObservedGpu, current: CurrentGpu): boolean {
  const { firstMs, workload } = observed;
  const { attributes, attributesFromMs = Infinity, workloadFromMs = Infinity } = current;
  return (
    firstMs >= attributesFromMs &&
    firstMs >= workloadFromMs &&
    workload !== "several" &&
    isSameWorkload(workload, current.workload) &&
    addNothing(observed, attributes)
  );
}
