import type { SqlClient, SqlExecutor } from "../../../db/client.ts";
import {
  beginChange,
  lockGpus,
  noteSeen,
  readStates,
  removeStates,
  setNewestAttributes,
  type StateOf,
  type StateTable,
  touchGpus,
  writeStates,
} from "../../../db/sql/gpu-states.ts";
import type { KnownGpu } from "../../../db/sql/known-gpus.ts";
import { type ObservedRecord, readObservations } from "../../../db/sql/observations.ts";
import { addsNothing, type Attributes, filledUp, isSameAttributes, isSameWorkload } from "../../../domain/gpu.ts";
import type { GpuDirectory } from "./gpu-directory.ts";
import type { ObservedGpu } from "./observed-gpus.ts";
import { changeSpans, type Span, type StateRules } from "./state-spans.ts";

/** `last_seen_at` lags behind by at most this: rows of `gpus` are written once in a while, not once a batch. */
const seenLagMs = 10 * 60_000;

const attributeRules: StateRules<Attributes> = { isSame: isSameAttributes, filled: filledUp };

const workloadRules: StateRules<StateOf["gpu_workloads"]> = {
  isSame: isSameWorkload,
  filled: (observed) => observed,
};

/** Keeps what changes of GPUs over time: attributes and workloads, from the records that are stored.
 *
 *  Works after the records are committed, and from what the database then has: late, repeated and simultaneous batches end
 *  in the same history. Whoever dies in between leaves the message unacknowledged, and its next delivery gets here again. */
export class GpuHistory {
  constructor(
    private readonly client: SqlClient,
    private readonly directory: GpuDirectory,
  ) {}

  /** @param gpus of a batch whose records are committed. @throws StoreUnavailable; may be called again */
  async note(gpus: readonly ObservedGpu[]): Promise<void> {
    if (gpus.length === 0) return;
    await this.directory.refresh(gpus);
    const pairs = this.pairs(gpus);
    const changed = pairs.filter(({ observed, known }) => !saysNothingNew(observed, known));
    if (changed.length > 0) await this.change(changed);
    const overdue = pairs.filter(({ observed, known }) => observed.lastMs > known.lastSeenMs + seenLagMs);
    await this.touch(overdue);
  }

  private pairs(gpus: readonly ObservedGpu[]): Pair[] {
    const known = this.directory.of(gpus);
    return gpus.map((observed, index) => {
      const one = known[index];
      if (one === undefined) throw new Error(`GPU ${observed.gpu.uuid} has records but no row in gpus`);
      return { observed, known: one };
    });
  }

  private async change(pairs: readonly Pair[]): Promise<void> {
    const sorted = [...pairs].sort((a, b) => a.known.gpuKey - b.known.gpuKey);
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
        stateOf: (_, { gpu }) => gpu,
      });
      await noteSeen(executor, revision, spans);
      await setNewestAttributes(executor, newest);
    });
  }

  private async touch(pairs: readonly Pair[]): Promise<void> {
    await touchGpus(this.client, spansOf(pairs));
    for (const { observed } of pairs) this.directory.noteSeen(observed.gpu.uuid, observed.lastMs);
  }
}

interface Pair {
  readonly observed: ObservedGpu;
  readonly known: KnownGpu;
}

interface Change {
  readonly executor: SqlExecutor;
  readonly pairs: readonly Pair[];
  readonly records: ReadonlyMap<number, readonly ObservedRecord[]>;
}

interface StatesChanged<Table extends StateTable> {
  readonly table: Table;
  readonly rules: StateRules<StateOf[Table]>;
  /** What a record says of its GPU. */
  readonly stateOf: (record: ObservedRecord, observed: ObservedGpu) => StateOf[Table];
}

/** @returns GPUs whose newest state changed, with it */
async function changeTable<Table extends StateTable>(
  { executor, pairs, records }: Change,
  { table, rules, stateOf }: StatesChanged<Table>,
): Promise<{ readonly gpuKey: number; readonly state: StateOf[Table] }[]> {
  const stored = Map.groupBy(await readStates(executor, table, spansOf(pairs)), ({ gpuKey }) => gpuKey);
  const changes = pairs.map(({ known: { gpuKey }, observed }) => {
    const spans: readonly Span<StateOf[Table]>[] = stored.get(gpuKey) ?? [];
    const observations = (records.get(gpuKey) ?? []).map((record) => ({
      fromMs: record.timeMs,
      state: stateOf(record, observed),
      nextRecordMs: record.nextRecordMs,
    }));
    return { gpuKey, ...changeSpans(spans, observations, rules) };
  });
  const rowsOf = changes.flatMap(({ gpuKey, written }) => written.map((span) => ({ gpuKey, ...span })));
  const gone = changes.flatMap(({ gpuKey, removed }) => removed.map((fromMs) => ({ gpuKey, fromMs })));
  await removeStates(executor, table, gone);
  await writeStates(executor, table, rowsOf);
  return changes.flatMap(({ gpuKey, newest }) => (newest === undefined ? [] : [{ gpuKey, state: newest }]));
}

function spansOf(pairs: readonly Pair[]) {
  return {
    gpuKeys: pairs.map(({ known }) => known.gpuKey),
    firstMs: pairs.map(({ observed }) => observed.firstMs),
    lastMs: pairs.map(({ observed }) => observed.lastMs),
  };
}

function placesOf(pairs: readonly Pair[]) {
  const gpuKeys: number[] = [];
  const timesMs: number[] = [];
  const untilMs: number[] = [];
  for (const { observed, known } of pairs) {
    observed.timesMs.forEach((timeMs, index) => {
      gpuKeys.push(known.gpuKey);
      timesMs.push(timeMs);
      untilMs.push(observed.timesMs[index + 1] ?? Infinity);
    });
  }
  return { gpuKeys, timesMs, untilMs };
}

function saysNothingNew({ gpu, firstMs, workload }: ObservedGpu, known: KnownGpu): boolean {
  const { attributes, attributesFromMs = Infinity, workloadFromMs = Infinity } = known;
  return (
    firstMs >= attributesFromMs &&
    firstMs >= workloadFromMs &&
    workload !== "several" &&
    isSameWorkload(workload, known.workload) &&
    addsNothing(attributes, gpu)
  );
}
